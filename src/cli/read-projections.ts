import type { EstateConfig } from '../config/estate-config.ts';
import { type EstateSnapshot, readEstateSnapshot } from '../controlplane/estate-snapshot.ts';
import type { EtcdReader } from '../etcd/port.ts';
import { type Freshness, freshnessOf, type ShardFreshness } from '../projections/freshness.ts';
import type { ProjectorRecord } from '../projections/projector-record.ts';
import { readRebuilds } from '../projections/rebuild-history.ts';
import { listProjectors } from '../projections/roll.ts';
import { readWatermarks } from '../projections/queries/watermarks.ts';
import { holderOf } from '../projections/sharing.ts';
import type { Estate } from './estate.ts';
import { namedShards, withProjectionsOf } from './projections.ts';
import type { ProjectionListData, ProjectionShowData } from './schemas/projection.ts';

/** Older than this, a projection is said not to be within its budget. */
export const STALENESS_BUDGET_MS = 5_000;
const HISTORY_MAX = 20;

interface Reading {
  readonly etcd: EtcdReader;
  readonly estate: Estate;
}

/** All projections: how fresh they are by cluster, and who keeps them so. Throws what etcd's reader and `connect` throw. */
export async function readProjections({ etcd, estate }: Reading): Promise<ProjectionListData> {
  const [snapshot, living] = await Promise.all([
    readEstateSnapshot(etcd, estate.keys),
    listProjectors(etcd, estate.keys),
  ]);
  const nowMs = Date.now();
  const { facts, pausedAll } = await withProjectionsOf(estate, 'projections_reader', async (client) => ({
    facts: await readWatermarks(client, null),
    pausedAll: (await client.query('select from projection.pause where shard_id is null')).rows.length > 0,
  }));
  const freshOf = (shards: readonly number[]): Freshness =>
    freshnessOf({
      shards,
      facts,
      nowMs,
      clockSkewMaxMs: snapshot.contract.value.liveness.clockSkewMaxMs,
      budgetMs: STALENESS_BUDGET_MS,
    });
  const { asOf, stalenessMs, withinBudget, budgetMs } = freshOf(namedShards(snapshot, undefined));
  return {
    asOf,
    stalenessMs,
    budgetMs,
    withinBudget,
    pausedAll,
    clusters: shardsByCluster(snapshot).map(([cluster, shards]) =>
      clusterRow(cluster, freshOf(shards), living),
    ),
    projectors: projectorRows(estate.config, living),
  };
}

function shardsByCluster(snapshot: EstateSnapshot): [string, number[]][] {
  const byCluster = new Map(
    [...snapshot.clusters.keys()].map((cluster): [string, number[]] => [cluster, []]),
  );
  for (const { value } of snapshot.shards.values()) byCluster.get(value.cluster)?.push(value.shard);
  return [...byCluster];
}

function clusterRow(
  cluster: string,
  { asOf, stalenessMs, shards }: Freshness,
  living: readonly ProjectorRecord[],
): ProjectionListData['clusters'][number] {
  const count = (state: ShardFreshness['state']) => shards.filter((one) => one.state === state).length;
  const figures = living.flatMap(({ name, clusters }) => {
    const own = clusters[cluster];
    return own === undefined ? [] : [{ projector: name, ...own }];
  });
  return {
    cluster,
    shards: shards.length,
    asOf,
    stalenessMs,
    states: {
      live: count('live'),
      gap: count('gap'),
      forked: count('forked'),
      rebuilding: count('rebuilding'),
      absent: count('absent'),
    },
    paused: shards.filter(({ paused }) => paused).length,
    behind:
      figures.length === 0 ? null : String(figures.reduce((sum, { behind }) => sum + BigInt(behind), 0n)),
    sources: figures.map(({ projector, member, shards: held }) => ({ projector, member, shards: held })),
  };
}

function projectorRows(
  { projectors }: EstateConfig,
  living: readonly ProjectorRecord[],
): ProjectionListData['projectors'] {
  const silent = Object.entries(projectors).filter(([name]) => !living.some((one) => one.name === name));
  return [
    ...living.map((record) => {
      const clusters = Object.values(record.clusters);
      const sum = (of: (figures: (typeof clusters)[number]) => number) =>
        clusters.reduce((total, figures) => total + of(figures), 0);
      const { name, region, process, startedAt, at, database } = record;
      return {
        name,
        region,
        alive: true,
        process,
        startedAt,
        at,
        shards: sum(({ shards }) => shards),
        entriesPerSecond: sum(({ entriesPerSecond }) => entriesPerSecond),
        database,
        troubles: clusters.flatMap(({ troubles }) => troubles.map((trouble) => ({ ...trouble }))),
      };
    }),
    ...silent.map(([name, { region }]) => ({
      name,
      region,
      alive: false,
      process: null,
      startedAt: null,
      at: null,
      shards: null,
      entriesPerSecond: null,
      database: null,
      troubles: [],
    })),
  ].toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

/** One shard's projection, and how it came to be. Throws `shard_missing` (exit 4), and as `readProjections`. */
export async function readShardProjection({
  etcd,
  estate,
  shard,
}: Reading & { readonly shard: number }): Promise<ProjectionShowData> {
  const [snapshot, living] = await Promise.all([
    readEstateSnapshot(etcd, estate.keys),
    listProjectors(etcd, estate.keys),
  ]);
  namedShards(snapshot, [shard]);
  const nowMs = Date.now();
  const { facts, history } = await withProjectionsOf(estate, 'projections_reader', async (client) => ({
    facts: await readWatermarks(client, [shard]),
    history: await readRebuilds(client, { shard, limit: HISTORY_MAX }),
  }));
  const { shards } = freshnessOf({
    shards: [shard],
    facts,
    nowMs,
    clockSkewMaxMs: snapshot.contract.value.liveness.clockSkewMaxMs,
    budgetMs: STALENESS_BUDGET_MS,
  });
  const [fresh] = shards;
  if (fresh === undefined) throw new Error('unreachable: one shard was asked for');
  const { state, stateReason, paused, position, generation, term, decidedAt, asOf, stalenessMs } = fresh;
  return {
    shard,
    cluster: snapshot.shards.get(shard)?.value.cluster ?? '',
    state,
    stateReason,
    paused,
    position,
    generation,
    term,
    decidedAt,
    asOf,
    stalenessMs,
    readFrom: facts[0]?.cluster ?? null,
    projector:
      holderOf(
        shard,
        living.map(({ name }) => name),
      ) ?? null,
    rebuilds: facts[0]?.rebuilds ?? 0,
    history: [...history],
  };
}
