import type { Clock } from '../clock/clock.ts';
import { CapstanError, ExitCode } from '../domain/errors.ts';
import { archiveShard, type ShardArchived } from './archive-shard.ts';
import { newestHead } from './head.ts';
import { judgeLog } from './judge-log.ts';
import type { ShardPlace } from './keys.ts';
import type { ArchiveLimits } from './limits.ts';
import type { LogReader } from './log-port.ts';
import type { ArchiveStore } from './store.ts';

/** Shards that are peeked at in one question. */
const PEEK_SHARDS = 200;

export interface ArchiveLogOptions {
  readonly store: ArchiveStore;
  readonly reader: LogReader;
  readonly estate: string;
  readonly incarnation: string;
  readonly shards: readonly number[];
  readonly limits: ArchiveLimits;
  readonly close: boolean;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  readonly onShard?: (outcome: ShardOutcome, done: number) => void;
}

export interface ShardOutcome extends ShardArchived {
  /** Why the shard can't be archived: the archive or the log isn't what it should be. */
  readonly error: CapstanError | null;
}

/**
 * Archives shards one after the other, each as far as it is due; what is wrong with one doesn't keep the others waiting.
 * Throws where the store or every source is away (exit 7), and stops before the next segment when the signal fires.
 */
export async function archiveLog(options: ArchiveLogOptions): Promise<readonly ShardOutcome[]> {
  const outcomes: ShardOutcome[] = [];
  const report = (outcome: ShardOutcome) => {
    outcomes.push(outcome);
    options.onShard?.(outcome, outcomes.length);
  };
  for (let from = 0; from < options.shards.length; from += PEEK_SHARDS) {
    const shards = options.shards.slice(from, from + PEEK_SHARDS);
    for (const { shard, standing, due } of await peek(options, shards)) {
      if (options.signal?.aborted === true) return outcomes;
      if (due) report(await archiveOne(options, shard, standing));
      else report({ ...standing, error: null });
    }
  }
  return outcomes;
}

async function archiveOne(
  options: ArchiveLogOptions,
  shard: number,
  standing: ShardArchived,
): Promise<ShardOutcome> {
  try {
    return { ...(await archiveShard({ ...options, place: placeOf(options, shard) })), error: null };
  } catch (error) {
    if (!(error instanceof CapstanError) || error.exit !== ExitCode.notReady) throw error;
    return { ...standing, error };
  }
}

interface Peeked {
  readonly shard: number;
  readonly standing: ShardArchived;
  readonly due: boolean;
}

const placeOf = ({ estate, incarnation }: ArchiveLogOptions, shard: number): ShardPlace => ({
  estate,
  incarnation,
  shard,
});

/** Which shards have anything to archive: one question for many, instead of a page for each. */
async function peek(options: ArchiveLogOptions, shards: readonly number[]): Promise<readonly Peeked[]> {
  const { store, reader, limits, close, clock } = options;
  const heads = new Map<number, Awaited<ReturnType<typeof newestHead>> | 'damaged'>();
  for (const shard of shards) {
    const head = await newestHead(store, placeOf(options, shard)).catch((error: unknown) => {
      if (error instanceof CapstanError && error.exit === ExitCode.notReady) return 'damaged' as const;
      throw error;
    });
    heads.set(shard, head);
  }
  const positionOf = (shard: number) => {
    const head = heads.get(shard);
    return head === undefined || head === 'damaged' ? '0' : head.head.position;
  };
  const logs = await reader.read(
    shards.map((shard) => ({ shard, after: positionOf(shard) })),
    1,
  );
  return shards.map((shard): Peeked => {
    const position = positionOf(shard);
    const log = logs.get(shard);
    const nothing = { segments: 0, entries: 0, bytes: 0, superseded: null };
    const standing = {
      shard,
      from: position,
      to: position,
      bound: log?.bound ?? null,
      ...nothing,
      behind: null,
    };
    const head = heads.get(shard);
    if (head === 'damaged') return { shard, standing, due: true };
    if (log === undefined)
      return { shard, standing: { ...standing, behind: 'nobody answers for the shard' }, due: false };
    const judged = judgeLog(head?.head, log);
    if (judged.kind === 'behind') return { shard, standing: { ...standing, behind: judged.why }, due: false };
    if (judged.kind !== 'follows') return { shard, standing, due: true };
    const rest = BigInt(log.bound) - BigInt(position);
    const oldest = Date.parse(log.entries[0]?.decided_at ?? '');
    const due =
      rest > 0n &&
      (close || rest >= BigInt(limits.segmentEntries) || oldest <= clock.wallMs() - limits.closeAfterMs);
    return { shard, standing, due };
  });
}
