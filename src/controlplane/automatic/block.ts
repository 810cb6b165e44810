import { timestampOf } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import type { FailoverPolicy } from '../../domain/contract.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import type { BlockRecord } from '../../domain/operation-records.ts';
import { auditIn } from '../audit.ts';
import type { ClusterView } from '../cluster-view.ts';
import { concurrentChange, revisionOf, Transaction } from '../store.ts';
import { type ChangeAutomaticOptions, existingCluster } from './pause.ts';
import { countedFailovers } from './standing.ts';

/**
 * Writes that nothing automatic happens to this cluster until a person acknowledges it, in place of the failover that
 * would be one too many. False: a record that the count rests on has changed, and it is to be judged anew.
 */
export async function blockAutomatic(
  options: ChangeAutomaticOptions & { readonly view: ClusterView; readonly policy: FailoverPolicy },
): Promise<boolean> {
  const { etcd, keys, cluster, actor, view, policy, clock = systemClock } = options;
  const failovers = countedFailovers(view.tally, policy, clock.wallMs());
  const block: BlockRecord = {
    by: actor,
    reason: `${failovers.length} automatic failovers began within ${formatDurationMs(policy.flap.withinMs)}, and the leader is gone again`,
    since: timestampOf(clock),
    failovers,
  };
  const transaction = new Transaction(etcd)
    .expect(keys.authority(cluster), revisionOf(view.authority))
    .expect(keys.automaticTally(cluster), revisionOf(view.tally))
    .expect(keys.automaticBlock(cluster), '0')
    .put(keys.automaticBlock(cluster), block);
  const entry = {
    actor,
    action: 'cluster.block',
    target: cluster,
    before: null,
    after: block,
    reason: block.reason,
  };
  auditIn(transaction, keys, entry, clock);
  return transaction.commit();
}

export interface AcknowledgeResult {
  readonly changed: boolean;
  /** What was acknowledged; null: nothing stood. */
  readonly block: BlockRecord | null;
}

/** Lifts the block and begins the count anew. Throws `cluster_not_found`, `concurrent_change` (exit 4). */
export async function acknowledgeBlock(
  options: ChangeAutomaticOptions & { readonly reason: string },
): Promise<AcknowledgeResult> {
  const { etcd, keys, cluster, actor, reason, clock = systemClock } = options;
  const view = await existingCluster(options);
  const before = view.block?.value;
  if (before === undefined) return { changed: false, block: null };
  const transaction = new Transaction(etcd)
    .expect(keys.automaticBlock(cluster), revisionOf(view.block))
    .delete(keys.automaticBlock(cluster))
    .expect(keys.automaticTally(cluster), revisionOf(view.tally))
    .put(keys.automaticTally(cluster), { begun: [] });
  const entry = { actor, action: 'cluster.acknowledge', target: cluster, before, after: null, reason };
  auditIn(transaction, keys, entry, clock);
  if (!(await transaction.commit())) throw concurrentChange(`the block of cluster ${cluster}`);
  return { changed: true, block: before };
}
