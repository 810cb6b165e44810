import { listAudit } from '../controlplane/audit.ts';
import { openLossesOf } from '../controlplane/loss/naming.ts';
import type { ClusterView } from '../controlplane/cluster-view.ts';
import type { InSyncRecord } from '../domain/records.ts';
import type { MemberContext } from './context.ts';

/**
 * Whether this member's data may hold a decision that was confirmed and that the leader doesn't have: an in-sync record named its
 * incarnation once (each record is in the audit log), or a loss that isn't signed off names the member. Reads the whole audit
 * log; it is asked only when two histories differ.
 */
export async function mayHoldPromises(
  { etcd, keys, cluster, member, memory }: MemberContext,
  view: ClusterView,
): Promise<boolean> {
  const { incarnation } = memory.value;
  if (openLossesOf(view, member).length > 0) return true;
  const records = await listAudit(etcd, keys, {
    action: 'in-sync.record',
    target: cluster,
    limit: Number.MAX_SAFE_INTEGER,
  });
  return records.some(({ after }) =>
    (after as InSyncRecord).voters.some(
      (voter) => voter.member === member && voter.incarnation === incarnation,
    ),
  );
}
