/** Bugs that somebody could write, each as a patch of the product, and what has to catch it. */
export interface PlantedBug {
  /** In words, and the name of its patch in test/planted/. */
  readonly bug: string;
  readonly patch: string;
  readonly caughtBy: CaughtByDrill | CaughtBySimulation;
}

export interface CaughtByDrill {
  readonly kind: 'drill';
  readonly drill: string;
  /** In place of the drill's own: the ones that matter for this bug, so that a short run shows it. */
  readonly faults: readonly string[];
  readonly rule: string;
}

export interface CaughtBySimulation {
  readonly kind: 'simulation';
  readonly invariant: string;
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    bug: 'a decision is answered before the follower has it',
    patch: 'answer-before-the-follower',
    caughtBy: { kind: 'drill', drill: 'follower-pause', faults: ['kill-leader-ahead'], rule: 'durability' },
  },
  {
    bug: 'a token is not looked up before it is decided',
    patch: 'no-token-look-up',
    caughtBy: { kind: 'drill', drill: 'races', faults: [], rule: 'one-outcome' },
  },
  {
    bug: 'decide does not check the term',
    patch: 'no-term-check-in-decide',
    caughtBy: {
      kind: 'drill',
      drill: 'stale-route',
      faults: ['stale-gateway', 'fence-abort'],
      rule: 'authority',
    },
  },
  {
    bug: 'a lease is used after it has lapsed',
    patch: 'lease-used-after-it-lapsed',
    caughtBy: { kind: 'simulation', invariant: 'right-ends-with-authority' },
  },
  {
    bug: 'a renewal is trusted that is not fenced by the term',
    patch: 'renewal-without-the-term',
    caughtBy: { kind: 'simulation', invariant: 'right-ends-with-authority' },
  },
];
