import { readEstateSnapshot } from '../../controlplane/estate-snapshot.ts';
import { shardMissing } from '../../controlplane/route-issuer.ts';
import { messageOf } from '../../domain/errors.ts';
import type { EtcdReader } from '../../etcd/port.ts';
import type { ShardFacts } from '../../postgres/queries/shard-facts.ts';
import type { Estate } from '../estate.ts';
import { facts, table, type Section } from '../render/section.ts';
import type { ShardShow } from '../schemas/map.ts';

const TIMEOUT_MS = 3_000;

/**
 * One shard, as etcd says and as the leader's Postgres says. A Postgres that can't be asked leaves `head` null and
 * becomes a warning; a disagreement does too. Throws `shard_missing`, `estate_missing` and what etcd's reader throws.
 */
export async function readShard(options: {
  readonly etcd: EtcdReader;
  readonly estate: Estate;
  readonly shard: number;
}): Promise<{ readonly data: ShardShow; readonly warnings: readonly string[] }> {
  const { etcd, estate, shard } = options;
  const snapshot = await readEstateSnapshot(etcd, estate.keys);
  const entry = snapshot.shards.get(shard)?.value;
  if (entry === undefined) throw shardMissing(shard);
  const authority = snapshot.clusters.get(entry.cluster)?.authority?.value;
  const leader = authority?.leader ?? null;
  const base = {
    shard,
    cluster: entry.cluster,
    generation: entry.generation,
    state: entry.state,
    mapVersion: entry.mapVersion,
    authority: authority === undefined ? null : { term: authority.term, leader, phase: authority.phase },
  };
  if (authority === undefined || leader === null) {
    const warning = `${entry.cluster} has no leader that could be asked`;
    return { data: { ...base, head: null, lineage: [] }, warnings: [warning] };
  }
  try {
    const { owner, head, lineage } = await askLeader({
      estate,
      cluster: entry.cluster,
      member: leader,
      shard,
    });
    const agrees =
      owner?.cluster === entry.cluster &&
      owner.generation === entry.generation &&
      owner.state === entry.state &&
      (head === null || head.term <= authority.term);
    return {
      data: {
        ...base,
        head: head === null ? null : { ...head, askedMember: leader, agrees },
        lineage: [...lineage],
      },
      warnings: agrees ? [] : [`${leader} holds shard ${shard} otherwise than the map: ${ownerWord(owner)}`],
    };
  } catch (error) {
    return {
      data: { ...base, head: null, lineage: [] },
      warnings: [`${leader} could not be asked: ${messageOf(error)}`],
    };
  }
}

async function askLeader(options: {
  readonly estate: Estate;
  readonly cluster: string;
  readonly member: string;
  readonly shard: number;
}): Promise<ShardFacts> {
  const { estate, cluster, member, shard } = options;
  const [{ connectAs }, { closeConnection }, { readShardFacts }] = await Promise.all([
    import('../../postgres/connect-as.ts'),
    import('../../postgres/connection.ts'),
    import('../../postgres/queries/shard-facts.ts'),
  ]);
  const client = await connectAs({
    config: estate.config,
    role: 'reader',
    cluster,
    member,
    region: estate.region,
    applicationName: 'capstan-cli',
    connectTimeoutMs: TIMEOUT_MS,
    statementTimeoutMs: TIMEOUT_MS,
    lockTimeoutMs: TIMEOUT_MS,
  });
  try {
    return await readShardFacts(client, shard);
  } finally {
    await closeConnection(client);
  }
}

const ownerWord = (owner: ShardFacts['owner']) =>
  owner === null ? 'it has no row of it' : `${owner.cluster}, generation ${owner.generation}, ${owner.state}`;

export function shardSections(data: ShardShow): Section[] {
  const { authority, head } = data;
  return [
    facts([
      ['shard', data.shard],
      ['cluster', data.cluster],
      ['generation', data.generation],
      ['state', data.state],
      ['map version', data.mapVersion],
      ['leader', authority?.leader],
      ['term', authority?.term],
      ['phase', authority?.phase],
      ['head position', head?.position],
      ['last decided', head?.decidedAt],
      ['asked', head?.askedMember],
      ['map and Postgres agree', head === null ? 'unknown' : head.agrees ? 'yes' : 'no'],
    ]),
    table({
      title: 'lineage',
      columns: [
        { header: 'GENERATION', value: (row) => row.generation, align: 'right' },
        { header: 'TERM', value: (row) => row.term, align: 'right' },
        { header: 'FIRST POSITION', value: (row) => row.firstPosition, align: 'right' },
        { header: 'CLUSTER', value: (row) => row.cluster },
        { header: 'REASON', value: (row) => row.reason },
        { header: 'BEGAN', value: (row) => row.beganAt, shrink: true },
      ],
      rows: data.lineage,
      empty: 'not known',
    }),
  ];
}
