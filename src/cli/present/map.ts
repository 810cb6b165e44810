import type { EstateSnapshot } from '../../controlplane/estate-snapshot.ts';
import type { MapShow } from '../schemas/map.ts';
import { shardRanges } from './shards.ts';

/** The map, cluster by cluster. */
export function summarizeMap({ estate, map, shards }: EstateSnapshot): MapShow {
  const entries = [...shards.values()].map(({ value }) => value).toSorted((a, b) => a.shard - b.shard);
  const byCluster = [...Map.groupBy(entries, ({ cluster }) => cluster)].toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  );
  return {
    version: map.value.version,
    updatedAt: map.value.updatedAt,
    shardCount: estate.value.shardCount,
    incarnation: estate.value.incarnation,
    clusters: byCluster.map(([cluster, own]) => ({
      cluster,
      shards: own.length,
      sealed: own.filter(({ state }) => state === 'sealed').length,
      generationMax: Math.max(...own.map(({ generation }) => generation)),
      ranges: shardRanges(own.map(({ shard }) => shard)),
    })),
  };
}
