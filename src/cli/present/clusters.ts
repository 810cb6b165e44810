import { readEstateSnapshot } from '../../controlplane/estate-snapshot.ts';
import type { Keys } from '../../controlplane/keys.ts';
import { refusedError } from '../../domain/errors.ts';
import type { EtcdReader } from '../../etcd/port.ts';
import type { ClusterSummary } from '../schemas/cluster.ts';
import { summarizeCluster } from './cluster.ts';

/** Every cluster, in name order. Throws `estate_missing`, and what etcd's reader throws. */
export async function readClusters(found: {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
}): Promise<ClusterSummary[]> {
  const snapshot = await readEstateSnapshot(found.etcd, found.keys);
  const owned = Map.groupBy(snapshot.shards.values(), ({ value }) => value.cluster);
  const nowMs = Date.now();
  return [...snapshot.clusters.values()].map((view) =>
    summarizeCluster({
      view,
      shards: owned.get(view.name)?.length ?? 0,
      contract: snapshot.contract.value,
      nowMs,
    }),
  );
}

/** The cluster of that name. Throws CapstanError `cluster_not_found` (exit 4) that names those that exist. */
export const pickCluster = (clusters: readonly ClusterSummary[], name: string): ClusterSummary =>
  pickByName(clusters, name, (cluster) => cluster.name);

/** What is said of the cluster of that name. Throws as `pickCluster`. */
export function pickByName<T>(rows: readonly T[], name: string, nameOf: (row: T) => string): T {
  const found = rows.find((row) => nameOf(row) === name);
  if (found !== undefined) return found;
  const names = rows.map(nameOf);
  throw refusedError(`there is no cluster ${JSON.stringify(name)}`, {
    code: 'cluster_not_found',
    next: names.length === 0 ? 'capstan cluster create <name>' : `clusters: ${names.join(', ')}`,
    data: { cluster: name, clusters: names },
  });
}
