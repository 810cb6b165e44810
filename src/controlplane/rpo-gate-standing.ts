import type { Contract, RpoAction } from '../domain/contract.ts';
import { formatDurationMs } from '../domain/duration.ts';
import { type ClaimReading, claimWords, readClaim } from '../domain/rpo-claim.ts';
import type { ClusterView } from './cluster-view.ts';

/** What a reading of the claim rests on. */
export type ClaimView = Pick<ClusterView, 'claim' | 'authority' | 'membership'>;

type RpoContract = Pick<Contract, 'rpo'>;

/** A cluster's claim and what is done about it at one moment. */
export interface RpoStanding extends ClaimReading {
  readonly budgetMs: number;
  readonly gateMs: number;
  readonly releaseMs: number;
  /** What the contract has done above the gate. */
  readonly action: RpoAction;
  /** Each gateway's, for `throttle`. */
  readonly decisionsPerSecond: number | null;
  /** Whether the action is in force now. Unknown counts as on. */
  readonly acts: boolean;
}

/** What may be said of a cluster's RPO claim now; a claim of another term than the authority's says nothing. `nowMs`: wall clock. */
export const claimOfCluster = (view: ClaimView, nowMs: number): ClaimReading =>
  readClaim(view.claim?.value, {
    membership: view.membership?.value,
    term: view.authority?.value.term,
    nowMs,
  });

/** Whether the gate is on: there is something to claim, and it isn't proved at this moment. Unknown counts as on. */
const isGateOn = ({ claim }: Pick<ClaimReading, 'claim'>): boolean =>
  claim !== 'advertised' && claim !== 'none';

/**
 * The claim with the budgets that it is held to, and the action. While the claim is of the authority's term, its own word on
 * the action counts: it is the contract as the leader's agent takes it. `nowMs`: wall clock.
 */
export function rpoStanding(view: ClaimView, { rpo }: RpoContract, nowMs: number): RpoStanding {
  const reading = claimOfCluster(view, nowMs);
  const record = view.claim?.value;
  const said = record !== undefined && record.term === view.authority?.value.term ? record : undefined;
  return {
    ...reading,
    budgetMs: said?.budgetMs ?? rpo.budgetMs,
    gateMs: rpo.gateMs,
    releaseMs: rpo.releaseMs,
    action: said?.action ?? rpo.action,
    decisionsPerSecond:
      said === undefined ? (rpo.throttle?.decisionsPerSecond ?? null) : said.decisionsPerSecond,
    acts: isGateOn(reading),
  };
}

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
  contract: RpoContract,
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
