import { timestampOf } from '../../clock/clock.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { AuthorityRecord } from '../../domain/records.ts';
import { auditIn } from '../audit.ts';
import { nextAuthority } from '../authority.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { Keys } from '../keys.ts';
import type { OperationRun } from '../operation/run.ts';
import { revisionOf, type Transaction, type Versioned } from '../store.ts';

/** Whether this operation's draining is still what the authority says. */
export const isDraining = (authority: AuthorityRecord | undefined, operation: string): boolean =>
  authority?.phase === 'draining' && authority.operation === operation;

/** Lets the cluster go: another operation may begin, and no agent acts on the request any more. */
export function releaseCluster(transaction: Transaction, keys: Keys, view: ClusterView): void {
  transaction
    .expect(keys.activeOperation(view.name), revisionOf(view.activeOperation))
    .delete(keys.activeOperation(view.name))
    .delete(keys.handoverRequest(view.name))
    .delete(keys.handoverReady(view.name))
    .delete(keys.handoverReport(view.name));
}

/**
 * Gives the cluster back to its leader under the same term, in the transaction that ends the operation. An authority that its
 * agent gave back already, or that never drained, stays as it is, and is compared.
 */
export function giveBack(about: {
  readonly run: Pick<OperationRun, 'keys' | 'clock'>;
  readonly transaction: Transaction;
  readonly view: ClusterView;
  readonly record: OperationRecord;
  readonly action: 'switchover.abort' | 'switchover.back-out';
  readonly actor: string;
  readonly reason: string | null;
}): void {
  const { run, transaction, view, record, action, actor, reason } = about;
  const { keys, clock } = run;
  const authority = view.authority as Versioned<AuthorityRecord>;
  const after = isDraining(authority.value, record.id)
    ? nextAuthority(authority.value, { kind: 'back-out' }, timestampOf(clock))
    : authority.value;
  transaction.expect(keys.authority(view.name), authority.revision);
  if (after !== authority.value) transaction.put(keys.authority(view.name), after);
  releaseCluster(transaction, keys, view);
  const entry = {
    actor,
    action,
    target: view.name,
    operation: record.id,
    planHash: record.planHash,
    before: authority.value,
    after,
    reason,
  };
  auditIn(transaction, keys, entry, clock);
}
