import type { AuthorityRecord } from '../../domain/records.ts';
import { type ClusterView, readClusterView } from '../cluster-view.ts';
import { readOwnCluster } from '../failover/context.ts';
import type { HeldOperation } from '../operation/journal.ts';
import type { Versioned } from '../store.ts';
import { planOf, type SwitchoverRun } from './context.ts';
import { isDraining } from './ending.ts';

export type Drained =
  | { readonly kind: 'draining'; readonly view: ClusterView; readonly authority: Versioned<AuthorityRecord> }
  /** The authority was given back to the leader: by its agent, or by whoever abandoned this operation. */
  | { readonly kind: 'given-back'; readonly view: ClusterView };

/**
 * Reads the cluster, in one answer, as this operation may find it from the drain to the decision, and demands that it is still
 * its own coordinator's. Anything else was not written by Capstan: `authority_mismatch` (exit 1).
 */
export async function readDrained(run: SwitchoverRun, held: HeldOperation): Promise<Drained> {
  const { id, cluster } = held.value;
  const { term } = planOf(held.value);
  const [view] = await Promise.all([
    readClusterView(run.etcd, run.keys, cluster),
    run.journal.assertHeld(held),
  ]);
  const authority = view?.authority;
  if (view !== undefined && authority?.value.term === term) {
    if (isDraining(authority.value, id)) return { kind: 'draining', view, authority };
    if (authority.value.phase === 'open') return { kind: 'given-back', view };
  }
  return { kind: 'draining', ...(await readOwnCluster(run, held, 'draining', term)) };
}
