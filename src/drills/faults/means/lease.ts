/** Longer than the lease of the shipped contract (3 s) with its drift: whoever is silent for it has no right left. */
export const PAST_LEASE_MS = 4_500;
/** For a lease to lapse, a failover to be finished, and something to be decided under the new term. */
export const FAILOVER_HOLD = { min: 7_000, max: 11_000 } as const;
