import type { Contract } from '../domain/contract.ts';
import { formatDurationMs } from '../domain/duration.ts';
import { type ClaimReading, claimWords, readClaim } from '../domain/rpo-claim.ts';
import type { ClusterView } from './cluster-view.ts';

/** What a reading of the claim rests on. */
export type ClaimView = Pick<ClusterView, 'claim' | 'authority' | 'membership'>;

/** What may be said of a cluster's RPO claim now; a claim of another term than the authority's says nothing. `nowMs`: wall clock. */
export const claimOfCluster = (view: ClaimView, nowMs: number): ClaimReading =>
  readClaim(view.claim?.value, {
    membership: view.membership?.value,
    term: view.authority?.value.term,
    nowMs,
  });

/** Whether the gate is on: there is something to claim, and it isn't proved at this moment. Unknown counts as on. */
export const isGateOn = ({ claim }: Pick<ClaimReading, 'claim'>): boolean =>
  claim !== 'advertised' && claim !== 'none';

export interface TopologyRefusal {
  readonly code: 'rpo_gate_on';
  readonly message: string;
  readonly next: string;
}

/**
 * Why a planned change of this cluster's topology (switchover, rebalancing) is refused now: its remote follower isn't
 * proved to be near, so a region lost in the middle would cost more than the budget. Undefined: the gate is off. The cures
 * (rejoin, add, remove) and an unplanned failover don't ask. `nowMs`: wall clock.
 */
export function topologyRefusal(
  view: ClaimView & Pick<ClusterView, 'name'>,
  contract: Pick<Contract, 'rpo'>,
  nowMs: number,
): TopologyRefusal | undefined {
  const reading = claimOfCluster(view, nowMs);
  if (!isGateOn(reading)) return undefined;
  const { budgetMs, releaseMs } = contract.rpo;
  return {
    code: 'rpo_gate_on',
    message:
      `the RPO gate of cluster ${view.name} is on (${claimWords(reading)}): no planned change of topology ` +
      `until its remote follower is proved to be within the budget of ${formatDurationMs(budgetMs)} again`,
    next: `wait until the lag is below ${formatDurationMs(releaseMs)}: capstan rpo show ${view.name} --watch`,
  };
}
