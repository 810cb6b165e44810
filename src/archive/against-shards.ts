import { chainAfter } from '../domain/log-entry.ts';
import { LOG_START } from './shard-view.ts';
import type { LogReader } from './log-port.ts';
import type { ArchiveProblem } from './problems.ts';

const PAGE_ENTRIES = 5_000;

/** How the live log stands to what the archive holds of it: every entry is read and hashed. */
export async function compareWithShard(options: {
  readonly reader: LogReader;
  readonly shard: number;
  readonly position: string;
  readonly chain: string;
  readonly signal?: AbortSignal;
}): Promise<{ readonly ahead: string | null; readonly problems: readonly ArchiveProblem[] }> {
  const { reader, shard, chain: archived, signal } = options;
  const end = BigInt(options.position);
  let { position, chain } = LOG_START;
  let bound: string | null = null;
  const problem = (at: bigint, why: string, kind: 'shards_differ' | 'shards_unread' = 'shards_differ') => ({
    ahead: bound === null ? null : String(BigInt(bound) - end),
    problems: [{ shard, problem: kind, object: null, position: String(at), why }],
  });
  while (position < end) {
    signal?.throwIfAborted();
    const log = (await reader.read([{ shard, after: String(position) }], PAGE_ENTRIES)).get(shard);
    if (log === undefined) return problem(position, 'nobody answers for the shard', 'shards_unread');
    bound = log.bound;
    const entries = log.entries.filter((entry) => BigInt(entry.position) <= end);
    if (entries.length === 0)
      return problem(position, `the log is confirmed up to ${log.bound} only`, 'shards_unread');
    for (const entry of entries) {
      position += 1n;
      if (BigInt(entry.position) !== position)
        return problem(position, `the log has position ${entry.position} there`);
      chain = chainAfter(chain, entry);
    }
  }
  if (chain.toString('hex') !== archived)
    return problem(end, `up to here the log's chain is ${chain.toString('hex')}, the archive's ${archived}`);
  bound ??= (await reader.read([{ shard, after: options.position }], 1)).get(shard)?.bound ?? null;
  return { ahead: bound === null ? null : String(BigInt(bound) - end), problems: [] };
}
