import { type Clock, nowOf } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import type { PauseRecord } from '../../domain/operation-records.ts';
import type { EtcdPort } from '../../etcd/port.ts';
import { auditIn } from '../audit.ts';
import { clusterNotFound, type ClusterView, readClusterView } from '../cluster-view.ts';
import type { Keys } from '../keys.ts';
import { concurrentChange, revisionOf, Transaction } from '../store.ts';
import { pauseInForce } from './standing.ts';

export interface ChangeAutomaticOptions {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly cluster: string;
  readonly actor: string;
  readonly clock?: Clock | undefined;
}

export interface PauseResult {
  readonly changed: boolean;
  /** In force now; null: none. */
  readonly pause: PauseRecord | null;
  /** Goes on, paused or not: what is fenced serves nobody until it ends. */
  readonly activeOperation: string | null;
}

/** The cluster as etcd has it. Throws `cluster_not_found` (exit 4). */
export async function existingCluster({ etcd, keys, cluster }: ChangeAutomaticOptions): Promise<ClusterView> {
  const view = await readClusterView(etcd, keys, cluster);
  if (view?.authority !== undefined) return view;
  throw clusterNotFound(cluster);
}

/**
 * Keeps agents from failing the cluster over and from adopting operations, for `forMs` or until it is ended. The same
 * pause asked for again changes nothing, and doesn't prolong it; another reason or time replaces it. Throws
 * `cluster_not_found`, `concurrent_change` (exit 4).
 */
export async function pauseCluster(
  options: ChangeAutomaticOptions & { readonly reason: string; readonly forMs: number | null },
): Promise<PauseResult> {
  const { etcd, keys, cluster, actor, reason, forMs, clock = systemClock } = options;
  const view = await existingCluster(options);
  const now = nowOf(clock);
  const activeOperation = view.activeOperation?.value ?? null;
  const before = pauseInForce(view.pause, now.getTime());
  if (before !== undefined && before.reason === reason && before.forMs === forMs)
    return { changed: false, pause: before, activeOperation };
  const pause: PauseRecord = {
    by: actor,
    reason,
    since: now.toISOString(),
    forMs,
    until: forMs === null ? null : new Date(now.getTime() + forMs).toISOString(),
  };
  const transaction = new Transaction(etcd)
    .expect(keys.automaticPause(cluster), revisionOf(view.pause))
    .put(keys.automaticPause(cluster), pause);
  const entry = {
    actor,
    action: 'cluster.pause',
    target: cluster,
    before: before ?? null,
    after: pause,
    reason,
  };
  auditIn(transaction, keys, entry, clock);
  if (!(await transaction.commit())) throw concurrentChange(`the pause of cluster ${cluster}`);
  return { changed: true, pause, activeOperation };
}

/** Ends a pause. Without one that is in force nothing changes. Throws as `pauseCluster`. */
export async function unpauseCluster(options: ChangeAutomaticOptions): Promise<PauseResult> {
  const { etcd, keys, cluster, actor, clock = systemClock } = options;
  const view = await existingCluster(options);
  const activeOperation = view.activeOperation?.value ?? null;
  const before = pauseInForce(view.pause, clock.wallMs());
  if (before === undefined) return { changed: false, pause: null, activeOperation };
  const transaction = new Transaction(etcd)
    .expect(keys.automaticPause(cluster), revisionOf(view.pause))
    .delete(keys.automaticPause(cluster));
  auditIn(
    transaction,
    keys,
    { actor, action: 'cluster.unpause', target: cluster, before, after: null },
    clock,
  );
  if (!(await transaction.commit())) throw concurrentChange(`the pause of cluster ${cluster}`);
  return { changed: true, pause: null, activeOperation };
}
