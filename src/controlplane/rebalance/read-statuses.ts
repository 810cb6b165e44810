import type { EtcdReader } from '../../etcd/port.ts';
import type { Keys } from '../keys.ts';
import { listOperations } from '../operation/journal.ts';
import { readRebalanceStatus } from './read-status.ts';
import type { RebalanceStatus } from './status.ts';

/** One rebalance, or all that are under way, newest first. Throws what `readRebalanceStatus` throws. */
export async function readRebalanceStatuses(about: {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly id?: string | undefined;
}): Promise<readonly RebalanceStatus[]> {
  const { etcd, keys, id } = about;
  if (id !== undefined) return [await readRebalanceStatus({ etcd, keys, id })];
  const operations = await listOperations({ etcd, keys, limit: Infinity });
  const running = operations.filter(({ kind, status }) => kind === 'rebalance' && status === 'running');
  return Promise.all(running.map((operation) => readRebalanceStatus({ etcd, keys, id: operation.id })));
}
