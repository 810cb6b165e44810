import type { EstateConfig } from '../config/estate-config.ts';
import { CapstanError, ExitCode } from '../domain/errors.ts';
import { projectionsConnectOptions } from '../projections/connect-options.ts';
import { PostgresStore } from '../projections/postgres-store.ts';
import type { ProjectionStore } from '../projections/store-port.ts';
import type { ShardPlace } from './keys.ts';
import { readArchive } from './read-archive.ts';
import type { ArchiveStore } from './store.ts';

const CONNECT_MS = 5_000;
const STATEMENT_MS = 60_000;
const LOCK_MS = 10_000;

export interface ShardReplayed {
  readonly shard: number;
  readonly position: string;
  readonly entries: number;
  readonly error: string | null;
}

interface ReplayOptions {
  readonly store: ArchiveStore;
  readonly places: readonly ShardPlace[];
  readonly by: string;
  readonly signal: AbortSignal;
  readonly onShard?: (done: number) => void;
}

/**
 * Folds shards of the projections anew from the archive alone, one after the other, each in one transaction. What is wrong
 * with one shard is told and leaves it as it was; that the archive or the projections' database is away is thrown.
 */
export async function replayIntoProjections(
  options: ReplayOptions & { readonly config: EstateConfig; readonly region: string | undefined },
): Promise<ShardReplayed[]> {
  const { config, region } = options;
  const connect = await projectionsConnectOptions({
    config,
    role: 'projector' as const,
    region,
    applicationName: 'capstan log replay',
    connectTimeoutMs: CONNECT_MS,
    statementTimeoutMs: STATEMENT_MS,
    lockTimeoutMs: LOCK_MS,
  });
  const projections = await PostgresStore.open({ ...connect, connectionsMax: 1 });
  try {
    return await replayInto(projections, options);
  } finally {
    await projections.close();
  }
}

/** The same into a store that is open. */
export async function replayInto(
  projections: ProjectionStore,
  options: ReplayOptions,
): Promise<ShardReplayed[]> {
  const { store, places, by, signal, onShard } = options;
  const replayed: ShardReplayed[] = [];
  for (const place of places) {
    const { shard } = place;
    signal.throwIfAborted();
    try {
      const archived = await readArchive({ store, place, signal });
      if (archived === undefined) continue;
      const { head, pages } = archived;
      const cluster = head.lineage.at(-1)?.cluster ?? '';
      const why = `replayed from the archive up to position ${head.position}`;
      const done = await projections.rebuild({ cluster, shard, why, by, lineage: head.lineage, pages });
      replayed.push({ shard, ...done, error: null });
    } catch (error) {
      if (!(error instanceof CapstanError) || error.exit === ExitCode.unreachable) throw error;
      replayed.push({ shard, position: '0', entries: 0, error: error.message });
    }
    onShard?.(replayed.length);
  }
  return replayed;
}
