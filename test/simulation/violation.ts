/** Each is described in SPEC.md. */
export type Invariant =
  | 'one-authority'
  | 'right-ends-with-authority'
  | 'nothing-confirmed-is-lost'
  | 'exact-prefix'
  | 'terms-only-rise'
  | 'confirmed-is-flushed'
  | 'one-outcome'
  | 'dense-positions'
  | 'superseded-writes-nothing'
  | 'coordinator-has-no-bug'
  | 'decides-again'
  | 'operations-end'
  | 'automatic-heeds-people'
  | 'automatic-waits-for-a-lapse'
  | 'automatic-is-counted'
  | 'adopts-what-needs-nobody'
  | 'switchover-loses-nothing'
  | 'one-ending'
  | 'proof-ends-the-old-side'
  | 'loss-is-recorded'
  | 'loss-is-bounded'
  | 'epoch-before-votes'
  | 'owner-changes-by-flip'
  | 'flip-under-its-terms'
  | 'handed-over-is-held'
  | 'opens-at-the-handover'
  | 'wipes-nothing-owned'
  | 'seal-ends'
  | 'nothing-is-left';

/** What the omniscient eye saw broken. The run ends with the first. */
export class Violation extends Error {
  readonly invariant: Invariant;

  constructor(invariant: Invariant, message: string) {
    super(message);
    this.invariant = invariant;
  }
}
