import { archiveLog, type ShardOutcome } from '../archive/archive-log.ts';
import { EstateLog } from '../archive/estate-log.ts';
import { followLog } from '../archive/follow.ts';
import { openArchive } from '../archive/open-store.ts';
import type { ArchiveStore } from '../archive/store.ts';
import { systemClock } from '../clock/system-clock.ts';
import { readEstateSnapshot } from '../controlplane/estate-snapshot.ts';
import { refusedError } from '../domain/errors.ts';
import { withEtcdReader, type Estate } from './estate.ts';
import { daemonLogger } from './daemon-logger.ts';
import type { Progress } from './progress.ts';

/** Of one question to a member. */
const READ_DEADLINE_MS = 20_000;

/** Runs `use` with the configured archive, which needs no estate. */
export async function withArchive<T>(
  estate: Pick<Estate, 'config'>,
  use: (store: ArchiveStore) => Promise<T>,
): Promise<T> {
  const store = await openArchive(estate.config);
  try {
    return await use(store);
  } finally {
    store.close();
  }
}

/** Runs `use` with the live log of all shards. */
export function withEstateLog<T>(
  estate: Estate,
  use: (found: {
    readonly reader: EstateLog;
    readonly incarnation: string;
    readonly shards: readonly number[];
  }) => Promise<T>,
): Promise<T> {
  return withEtcdReader(estate, async (etcd) => {
    const { config, keys, region } = estate;
    const snapshot = await readEstateSnapshot(etcd, keys);
    const reader = new EstateLog({ config, etcd, keys, region, deadlineMs: READ_DEADLINE_MS });
    try {
      const { incarnation } = snapshot.estate.value;
      return await use({
        reader,
        incarnation,
        shards: [...snapshot.shards.keys()].toSorted((a, b) => a - b),
      });
    } finally {
      reader.close();
    }
  });
}

export interface ArchiveCommandOptions {
  readonly estate: Estate;
  readonly shards: readonly number[] | undefined;
  readonly close: boolean;
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** Go on until the signal, this often. */
  readonly followEveryMs: number | undefined;
  readonly debug: boolean;
}

export interface ArchiveCommandResult {
  readonly where: string;
  readonly incarnation: string;
  readonly outcomes: readonly ShardOutcome[];
  readonly followed: { readonly segments: number; readonly entries: number } | undefined;
}

/** `log archive`: once, or again and again. */
export function archiveCommand(options: ArchiveCommandOptions): Promise<ArchiveCommandResult> {
  const { estate, close, signal, progress, followEveryMs } = options;
  return withArchive(estate, (store) =>
    withEstateLog(estate, async ({ reader, incarnation, shards }) => {
      const wanted = demandShards(options.shards ?? shards, shards);
      const { segmentEntries = 0, closeAfter = 0, compression = 'zstd' } = estate.config.archive ?? {};
      const base = {
        store,
        reader,
        estate: estate.config.estate,
        incarnation,
        shards: wanted,
        close,
        signal,
        limits: { segmentEntries, closeAfterMs: closeAfter, compression },
        clock: systemClock,
      };
      if (followEveryMs !== undefined) {
        const logger = await daemonLogger({ name: 'log archive', debug: options.debug });
        const followed = await followLog({ ...base, everyMs: followEveryMs, logger });
        return { where: store.where, incarnation, outcomes: [], followed };
      }
      const step = `archive ${wanted.length} shards`;
      progress.step(step, 'running');
      const outcomes = await archiveLog({
        ...base,
        onShard: (outcome, done) => {
          if (outcome.segments > 0)
            progress.step(
              step,
              'running',
              `${done} of ${wanted.length}, shard ${outcome.shard} to ${outcome.to}`,
            );
        },
      });
      progress.step(step, signal.aborted ? 'failed' : 'done');
      return { where: store.where, incarnation, outcomes, followed: undefined };
    }),
  );
}

function demandShards(wanted: readonly number[], all: readonly number[]): readonly number[] {
  const known = new Set(all);
  const absent = wanted.find((shard) => !known.has(shard));
  if (absent === undefined) return wanted;
  throw refusedError(`the estate has no shard ${absent}`, {
    code: 'shard_missing',
    next: 'capstan shard list',
  });
}
