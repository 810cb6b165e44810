import type { OperationStatus } from '../../domain/records.ts';

/**
 * What an in-region failover is about to do. The journal holds the step that is under way, so a step that was killed is
 * simply entered again. `fence` is never journaled as under way: its one transaction creates the operation.
 */
export type FailoverPhase =
  | 'fence'
  | 'freeze'
  | 'proof'
  | 'decide'
  | 'promote'
  | 'verify'
  | 'open'
  | 'settle'
  | 'done'
  | 'aborted'
  | 'failed';

/**
 * - `completed`: the step's effect is in etcd, by the same transaction as this event.
 * - `differs`: what the step read contradicts what an earlier one recorded.
 * - `resumed`: another coordinator took over.
 * - `aborted`: an operator gave up.
 */
export type FailoverEvent = 'completed' | 'differs' | 'resumed' | 'aborted';

type Row = Readonly<Record<FailoverEvent, FailoverPhase | null>>;

/** Every phase's answer to every event; null: it isn't accepted there. A missing pair doesn't compile. */
export const TRANSITIONS: Readonly<Record<FailoverPhase, Row>> = {
  fence: { completed: 'freeze', differs: null, resumed: null, aborted: null },
  freeze: { completed: 'proof', differs: null, resumed: 'freeze', aborted: 'aborted' },
  // A report that changed or went away since it was counted sends the operation back to waiting.
  proof: { completed: 'decide', differs: 'freeze', resumed: 'proof', aborted: 'aborted' },
  decide: { completed: 'promote', differs: 'freeze', resumed: 'decide', aborted: 'aborted' },
  // From here on only forward: the decided member may have promoted already.
  promote: { completed: 'verify', differs: null, resumed: 'promote', aborted: null },
  verify: { completed: 'open', differs: 'failed', resumed: 'verify', aborted: null },
  open: { completed: 'settle', differs: null, resumed: 'open', aborted: null },
  settle: { completed: 'done', differs: null, resumed: 'settle', aborted: null },
  done: { completed: null, differs: null, resumed: null, aborted: null },
  aborted: { completed: null, differs: null, resumed: null, aborted: null },
  // Nothing has opened: a mended promotion report is verified again.
  failed: { completed: null, differs: null, resumed: 'verify', aborted: null },
};

/** The phase after an event. Throws a plain Error (a bug) when the table doesn't accept it: ask `accepts` first. */
export function advance(phase: FailoverPhase, event: FailoverEvent): FailoverPhase {
  const next = TRANSITIONS[phase][event];
  if (next === null) throw new Error(`a failover in phase ${phase} can't take the event ${event}`);
  return next;
}

export const accepts = (phase: FailoverPhase, event: FailoverEvent): boolean =>
  TRANSITIONS[phase][event] !== null;

/** Nothing more will be done by anyone. */
export const isFinal = (phase: FailoverPhase): boolean =>
  Object.values(TRANSITIONS[phase]).every((next) => next === null);

/** Whether the next leader and its prefix are decided: the operation can then only go forward. */
export const isDecided = (phase: FailoverPhase): boolean =>
  !isFinal(phase) && !accepts(phase, 'aborted') && phase !== 'fence';

/** The journal's status of a phase. */
export function statusOf(phase: FailoverPhase): OperationStatus {
  return phase === 'done' || phase === 'aborted' || phase === 'failed' ? phase : 'running';
}

/** What is left to do from a phase on, by following `completed`. */
export function stepsLeft(phase: FailoverPhase): readonly FailoverPhase[] {
  const left: FailoverPhase[] = [];
  for (
    let at: FailoverPhase | null = phase === 'failed' ? 'verify' : phase;
    at !== null && !isFinal(at);
    at = TRANSITIONS[at].completed
  ) {
    left.push(at);
  }
  return left;
}

/** Reads a journaled phase; undefined when it isn't one (a newer version's journal). */
export const parsePhase = (text: string): FailoverPhase | undefined =>
  Object.hasOwn(TRANSITIONS, text) ? (text as FailoverPhase) : undefined;
