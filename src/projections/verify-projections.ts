import type { EstateConfig } from '../config/estate-config.ts';
import type { EstateSnapshot } from '../controlplane/estate-snapshot.ts';
import { CapstanError, messageOf } from '../domain/errors.ts';
import type { ShardId } from '../domain/shard.ts';
import type { SqlClient } from '../postgres/sql-client.ts';
import { type LogTarget, readWholeLog } from './log-pages.ts';
import { LogSource } from './log-source.ts';
import { sourcesOf } from './sources.ts';
import type { WatermarkFacts } from './queries/watermarks.ts';
import type { Difference } from './verify/differences.ts';
import { verifyShard } from './verify/verify-shard.ts';

export interface VerifyProjectionsOptions {
  /** Of the projections' reader. */
  readonly client: SqlClient;
  readonly config: EstateConfig;
  /** From where the members are seen; undefined: nowhere in particular. */
  readonly region: string | undefined;
  readonly snapshot: EstateSnapshot;
  readonly shards: readonly ShardId[];
  /** Of each shard, the rows that are named. */
  readonly differencesMax: number;
  readonly signal: AbortSignal;
}

export interface VerifiedProjection {
  readonly shard: ShardId;
  readonly position: string;
  readonly state: WatermarkFacts['state'] | 'absent';
  readonly equal: boolean;
  readonly differences: number;
  readonly first: readonly Difference[];
  /** Why it could not be compared; null: it was. */
  readonly error: string | null;
}

/** Holds each shard's projection against its log as the members show it now. A shard that can't be compared isn't equal. */
export async function verifyProjections(
  options: VerifyProjectionsOptions,
): Promise<readonly VerifiedProjection[]> {
  const { config, snapshot, region, shards, signal } = options;
  const { readMs } = snapshot.contract.value.deadlines;
  const sources = new Map<string, LogSource>();
  const verified: VerifiedProjection[] = [];
  try {
    for (const shard of shards) {
      signal.throwIfAborted();
      const cluster = snapshot.shards.get(shard)?.value.cluster ?? '';
      const source =
        sources.get(cluster) ??
        new LogSource({
          config,
          region: region ?? '',
          applicationName: 'capstan-projection-verify',
          deadlineMs: readMs,
        });
      sources.set(cluster, source);
      verified.push(await verifyOne(options, shard, source));
    }
  } finally {
    for (const source of sources.values()) source.close();
  }
  return verified;
}

async function verifyOne(
  { client, snapshot, region, differencesMax, signal }: VerifyProjectionsOptions,
  shard: ShardId,
  source: LogSource,
): Promise<VerifiedProjection> {
  const target = targetOf(snapshot, region ?? '', shard);
  try {
    const { pages } = await readWholeLog({ shard, source, target: () => target });
    const { position, state, equal, differences, first } = await verifyShard({
      client,
      shard,
      pages,
      differencesMax,
      signal,
    });
    return {
      shard,
      position,
      state: state as VerifiedProjection['state'],
      equal,
      differences,
      first,
      error: null,
    };
  } catch (error) {
    if (!(error instanceof CapstanError)) throw error;
    const none = { position: '0', state: 'absent', equal: false, differences: 0, first: [] } as const;
    return { shard, ...none, error: messageOf(error) };
  }
}

function targetOf(snapshot: EstateSnapshot, region: string, shard: ShardId): LogTarget | undefined {
  const entry = snapshot.shards.get(shard)?.value;
  const view = entry === undefined ? undefined : snapshot.clusters.get(entry.cluster);
  const sources = view === undefined ? undefined : sourcesOf(view, region);
  return entry === undefined || sources === undefined ? undefined : { sources, generation: entry.generation };
}
