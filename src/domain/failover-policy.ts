import type { Contract, FailoverPolicy } from './contract.ts';

const BY_HAND: FailoverPolicy = {
  automatic: false,
  graceMs: 0,
  adoptAfterMs: Infinity,
  flap: { max: 0, withinMs: 0 },
};

/** What a contract lets agents do by themselves; nothing, where it doesn't say. */
export const failoverPolicyOf = (contract: Pick<Contract, 'failover'> | undefined): FailoverPolicy =>
  contract?.failover ?? BY_HAND;

/** How long a lease's record must have stayed the same before it counts as lapsed and nobody is coming back. */
export const lapseAfterMs = (contract: Pick<Contract, 'lease' | 'failover'>): number =>
  contract.lease.ttlMs + contract.lease.driftMs + failoverPolicyOf(contract).graceMs;
