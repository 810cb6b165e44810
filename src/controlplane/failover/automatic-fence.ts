import type { Contract } from '../../domain/contract.ts';
import { failoverPolicyOf } from '../../domain/failover-policy.ts';
import type { TallyRecord } from '../../domain/operation-records.ts';
import { countedFailovers, isFlapping, standingOf } from '../automatic/standing.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { Keys } from '../keys.ts';
import { revisionOf, type Transaction, type Versioned } from '../store.ts';

/** What an agent has seen stand still for long enough; the fence holds for these revisions and no others. */
export interface SeenLapsed {
  readonly authorityRevision: string;
  /** `'0'`: no lease record at all. */
  readonly leaseRevision: string;
  /** Its host has said that nothing of it runs: that its lease is not lapsed yet says nothing. */
  readonly leaderIsDead: boolean;
}

export interface AutomaticFence {
  readonly keys: Keys;
  readonly view: ClusterView;
  readonly contract: Versioned<Contract>;
  readonly seen: SeenLapsed;
}

/** Why nobody may begin this failover without a person; undefined: an agent may. `nowMs`: wall clock. */
export function automaticRefusal(
  { view, contract, seen }: Omit<AutomaticFence, 'keys'>,
  nowMs: number,
): string | undefined {
  const policy = failoverPolicyOf(contract.value);
  const standing = standingOf(view, policy, nowMs);
  if (standing !== 'on') return `automatic failover of ${view.name} is ${standing}`;
  if (isFlapping(view.tally, policy, nowMs))
    return `automatic failovers of ${view.name} follow one another too fast`;
  if (revisionOf(view.authority) !== seen.authorityRevision)
    return 'the authority has changed since it was watched';
  if (revisionOf(view.lease) !== seen.leaseRevision) return 'the lease was renewed after all';
  return undefined;
}

/**
 * What an automatic fence compares beside what every fence does, and the tally that it adds itself to: whatever of these
 * was committed first wins.
 */
export function expectStillLapsed(
  transaction: Transaction,
  { keys, view, contract }: Omit<AutomaticFence, 'seen'>,
  begun: { readonly operation: string; readonly now: Date },
): void {
  const cluster = view.name;
  const counted = countedFailovers(view.tally, failoverPolicyOf(contract.value), begun.now.getTime());
  const tally: TallyRecord = {
    begun: [...counted, { operation: begun.operation, at: begun.now.toISOString() }],
  };
  transaction
    .expect(keys.contract, contract.revision)
    .expect(keys.lease(cluster), revisionOf(view.lease))
    .expect(keys.automaticPause(cluster), revisionOf(view.pause))
    .expect(keys.automaticBlock(cluster), revisionOf(view.block))
    .expect(keys.automaticTally(cluster), revisionOf(view.tally))
    .put(keys.automaticTally(cluster), tally);
}
