import type { ProgressRecord } from '../domain/agent-reports.ts';
import type { CallOptions, EtcdReader } from '../etcd/port.ts';
import type { Keys } from './keys.ts';
import { rangeRecords } from './store.ts';

/** What each member's agent published last, by member; a silent member's stays. */
export async function readProgress(
  etcd: EtcdReader,
  keys: Keys,
  cluster: string,
  options?: CallOptions,
): Promise<ReadonlyMap<string, ProgressRecord>> {
  const { records } = await rangeRecords<ProgressRecord>(etcd, keys.progressOf(cluster), options);
  return new Map([...records.values()].map(({ value }) => [value.member, value]));
}
