import type { LogEntry } from '../domain/log-entry.ts';
import { refusedError } from '../domain/errors.ts';
import type { ShardId } from '../domain/shard.ts';
import type { LineageEntry, ShardLog } from '../domain/shard-log.ts';
import type { LogSource } from './log-source.ts';
import type { Sources } from './sources.ts';

const PAGE_ENTRIES = 5_000;

/** Where a shard's log is read now. */
export interface LogTarget {
  readonly sources: Sources;
  readonly generation: number;
}

export interface WholeLog {
  readonly lineage: readonly LineageEntry[];
  /** Which member gave the first page. */
  readonly member: string;
  /** From position 1 on, in order. Throws `projection_log_broken` when the authority changes in between. */
  readonly pages: AsyncIterable<readonly LogEntry[]>;
}

export interface WholeLogOptions {
  readonly shard: ShardId;
  readonly source: LogSource;
  /** Asked for each page; undefined: the shard is no longer to be read from here. */
  readonly target: () => LogTarget | undefined;
}

/** A shard's whole log, page by page, from whichever member shows it. Throws `projection_log_broken` (exit 4, retryable). */
export async function readWholeLog(options: WholeLogOptions): Promise<WholeLog> {
  const first = await readPage(options, '0');
  return { lineage: first.log.lineage, member: first.member, pages: pagesFrom(options, first.log) };
}

async function* pagesFrom(options: WholeLogOptions, first: ShardLog): AsyncGenerator<readonly LogEntry[]> {
  for (let log = first; log.entries.length > 0;) {
    yield log.entries;
    const after = log.entries.at(-1)?.position ?? '0';
    if (BigInt(after) >= BigInt(log.bound)) return;
    ({ log } = await readPage(options, after));
    if (JSON.stringify(log.lineage) !== JSON.stringify(first.lineage)) {
      throw unreadable(options.shard, 'its authority changed between two pages');
    }
  }
}

async function readPage(
  { shard, source, target }: WholeLogOptions,
  after: string,
): Promise<{ readonly log: ShardLog; readonly member: string }> {
  const at = target();
  if (at === undefined) throw unreadable(shard, 'it is not to be read from here now');
  const request = { shards: [{ shard, generation: at.generation, after }], entriesMax: PAGE_ENTRIES };
  for (let skip = 0; skip < at.sources.members.length; skip += 1) {
    const answer = await source.ask(at.sources, request, skip);
    const log = answer?.logs[0];
    if (answer !== undefined && log !== undefined) return { log, member: answer.source.member };
  }
  throw unreadable(shard, 'no member of its cluster shows it now');
}

const unreadable = (shard: ShardId, why: string): Error =>
  refusedError(`the log of shard ${shard} can't be read: ${why}`, {
    code: 'projection_log_broken',
    retryable: true,
  });
