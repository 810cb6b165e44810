import { canonicalJson } from '../../domain/canonical-json.ts';
import { refusedError } from '../../domain/errors.ts';
import type { FreezeReport } from '../../domain/agent-reports.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { ClusterView } from '../cluster-view.ts';
import { revisionOf, type Transaction } from '../store.ts';
import type { FailoverRun } from './context.ts';
import { planOf } from './plan-types.ts';

/** The membership and the in-sync record are still those that were planned with. Throws `in_sync_changed` (exit 4). */
export function demandPlannedSet(record: OperationRecord, view: ClusterView): void {
  const planned = planOf(record);
  const found = view.inSync?.value ?? null;
  const unchanged =
    view.membership?.value.epoch === planned.epoch && canonicalJson(found) === canonicalJson(planned.inSync);
  if (unchanged) return;
  throw refusedError(`the membership or in-sync set of ${record.cluster} changed after the fence`, {
    code: 'in_sync_changed',
    next: `capstan operation abort ${record.id}`,
    data: { operation: record.id, planned: planned.inSync, found },
  });
}

interface Evidence {
  readonly run: FailoverRun;
  readonly transaction: Transaction;
  readonly view: ClusterView;
}

/** The transaction holds only for the in-sync record and membership that were read. */
export function expectPlannedSet({ run, transaction, view }: Evidence): void {
  transaction
    .expect(run.keys.inSync(view.name), revisionOf(view.inSync))
    .expect(run.keys.membership(view.name), revisionOf(view.membership));
}

/** And only for the reports that were counted. */
export function expectEvidence(evidence: Evidence & { readonly frozen: readonly FreezeReport[] }): void {
  const { run, transaction, view, frozen } = evidence;
  expectPlannedSet(evidence);
  for (const { member } of frozen)
    transaction.expect(run.keys.frozenReport(view.name, member), revisionOf(view.frozen.get(member)));
}
