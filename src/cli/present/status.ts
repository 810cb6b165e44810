import { readEstateSnapshot } from '../../controlplane/estate-snapshot.ts';
import type { Keys } from '../../controlplane/keys.ts';
import { listOperations } from '../../controlplane/operation/journal.ts';
import type { EtcdReader } from '../../etcd/port.ts';
import { facts, table, text, type Section } from '../render/section.ts';
import type { StatusData } from '../schemas/status.ts';
import { automaticLine, CLUSTER_COLUMNS, MEMBER_COLUMNS, rpoLine, summarizeCluster } from './cluster.ts';
import { OPERATION_COLUMNS, summarizeOperation } from './operation.ts';

/** Reads all that `capstan status` shows. Throws `estate_missing` and what etcd's reader throws. */
export async function readStatus(options: {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly signal: AbortSignal;
}): Promise<StatusData> {
  const { etcd, keys, signal } = options;
  const started = performance.now();
  const snapshot = await readEstateSnapshot(etcd, keys, { signal });
  const latencyMs = Math.round((performance.now() - started) * 10) / 10;
  const operations = await listOperations({ etcd, keys });
  const nowMs = Date.now();
  const owned = Map.groupBy(snapshot.shards.values(), ({ value }) => value.cluster);
  const { estate, map } = snapshot;
  return {
    estate: estate.value.name,
    incarnation: estate.value.incarnation,
    etcd: { revision: snapshot.revision, latencyMs },
    map: {
      version: map.value.version,
      updatedAt: map.value.updatedAt,
      shardCount: estate.value.shardCount,
      unowned: estate.value.shardCount - snapshot.shards.size,
    },
    clusters: [...snapshot.clusters.values()].map((view) =>
      summarizeCluster({
        view,
        shards: owned.get(view.name)?.length ?? 0,
        contract: snapshot.contract.value,
        nowMs,
      }),
    ),
    operations: operations
      .filter(({ status }) => status === 'running' || status === 'failed')
      .map(summarizeOperation),
    at: new Date(nowMs).toISOString(),
  };
}

export function statusSections(data: StatusData): Section[] {
  const { map, clusters, operations } = data;
  const complete = map.unowned === 0 ? '' : `, ${map.unowned} without an owner`;
  return [
    facts([
      ['estate', data.estate],
      ['etcd', `answers in ${data.etcd.latencyMs} ms, revision ${data.etcd.revision}`],
      ['map', `version ${map.version}, ${map.shardCount} shards${complete}`],
    ]),
    ...clusters
      .filter(({ automaticFailover: { pause, block } }) => pause !== null || block !== null)
      .map(({ name, automaticFailover }) =>
        text(`automatic failover of ${name}: ${automaticLine(automaticFailover)}`),
      ),
    ...clusters
      .filter(({ rpo }) => rpo.acts)
      .map(({ name, rpo }) => text(`RPO gate of ${name}: ${rpoLine(rpo)}`)),
    ...clusters
      .filter(({ durability }) => durability?.degraded === true)
      .map(({ name, leader }) =>
        text(
          `${name} is degraded: ${leader ?? 'its leader'} is its own durable set until a voter is in sync`,
        ),
      ),
    table({
      title: 'clusters',
      columns: CLUSTER_COLUMNS,
      rows: clusters,
      empty: 'no cluster yet: capstan cluster create <name>',
    }),
    ...clusters.map(({ name, members }) =>
      table({ title: `members of ${name}`, columns: MEMBER_COLUMNS, rows: members, empty: 'none yet' }),
    ),
    table({ title: 'unfinished operations', columns: OPERATION_COLUMNS, rows: operations }),
  ];
}
