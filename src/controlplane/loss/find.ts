import { refusedError } from '../../domain/errors.ts';
import type { LossRecord, LostDecision } from '../../domain/loss-records.ts';
import type { EtcdReader } from '../../etcd/port.ts';
import { listClusterViews } from '../cluster-view.ts';
import type { Keys } from '../keys.ts';
import type { Versioned } from '../store.ts';
import { consolidate, readReport, readSalvages } from './report.ts';

/** Every failover that may have lost decisions, the newest first. */
export async function listLosses(etcd: EtcdReader, keys: Keys): Promise<readonly Versioned<LossRecord>[]> {
  const views = await listClusterViews(etcd, keys);
  return views
    .flatMap(({ losses }) => [...losses.values()])
    .toSorted((a, b) => (a.value.since < b.value.since ? 1 : -1));
}

/** Throws `loss_not_found` (exit 4). */
export async function findLoss(
  etcd: EtcdReader,
  keys: Keys,
  operation: string,
): Promise<Versioned<LossRecord>> {
  const found = (await listLosses(etcd, keys)).find(({ value }) => value.operation === operation);
  if (found !== undefined) return found;
  throw refusedError(`operation ${JSON.stringify(operation)} is not known to have lost anything`, {
    code: 'loss_not_found',
    next: 'capstan loss list',
  });
}

/** What is lost: the report once it is signed off, and until then what was salvaged so far. */
export async function readLost(
  etcd: EtcdReader,
  keys: Keys,
  record: LossRecord,
): Promise<readonly LostDecision[]> {
  if (record.status === 'signed-off') return readReport(etcd, keys, record.operation);
  return consolidate(record, await readSalvages(etcd, keys, record));
}
