import type { EstateSnapshot } from '../controlplane/estate-snapshot.ts';
import type { ShardRecord } from '../domain/records.ts';
import type { LeaderFacts } from '../postgres/queries/leader-facts.ts';
import { perCluster, type ClusterFinding, type ClusterUnderCheck } from './per-cluster.ts';
import type { Check, Finding } from './types.ts';

const NAMED_MAX = 5;

/** Every shard has one owner, and etcd and the owner's Postgres agree on shards, generations, epoch and term. */
export const mapComplete: Check = {
  name: 'map-complete',
  claim: 'every shard has one owner, and its Postgres holds the same generation, epoch and term as etcd',
  asks: 'etcd and each leader’s Postgres',
  timeoutMs: 8_000,
  async run(context) {
    const { estate } = await context.snapshot();
    return [everyShardOwned(estate), ...(await perCluster(context, agreement))];
  },
};

function everyShardOwned({ estate, shards, map, clusters }: EstateSnapshot): Finding {
  const { shardCount } = estate.value;
  const missing = Array.from({ length: shardCount }, (_, shard) => shard).filter(
    (shard) => !shards.has(shard),
  );
  const ownerless = [...shards.values()].filter(({ value }) => !clusters.has(value.cluster)).length;
  const evidence = {
    subject: 'map',
    figure: `version ${map.value.version}, ${shards.size} entries`,
    budget: `${shardCount} entries`,
    sampleAgeMs: 0,
    asked: 'etcd',
  };
  if (missing.length > 0) {
    return { ...evidence, status: 'fail', message: `shards without an entry: ${named(missing)}` };
  }
  if (ownerless > 0) {
    return {
      ...evidence,
      status: 'fail',
      message: `${ownerless} shards belong to clusters that were never created`,
    };
  }
  return { ...evidence, status: 'pass', message: 'every shard has one owner' };
}

async function agreement(about: ClusterUnderCheck): Promise<ClusterFinding> {
  const { context, estate, cluster, view, authority, leader } = about;
  const [facts, own] = await Promise.all([
    context.members.leader({ cluster, member: leader }),
    context.members.member({ cluster, member: leader }),
  ]);
  const owned = [...estate.shards.values()]
    .map(({ value }) => value)
    .filter((entry) => entry.cluster === cluster);
  const epoch = view.membership?.value.epoch;
  const differences = [
    ...(own.state?.term === authority.term
      ? []
      : [`term ${own.state?.term ?? 'none'}, not ${authority.term}`]),
    ...(own.state?.epoch === epoch ? [] : [`epoch ${own.state?.epoch ?? 'none'}, not ${epoch ?? 'none'}`]),
    ...shardDifferences(owned, facts.shards),
  ];
  const evidence = {
    figure: `${facts.shards.filter(({ state }) => state !== 'moved').length} shards under term ${own.state?.term ?? 'none'}`,
    budget: `${owned.length} shards under term ${authority.term}`,
    sampleAgeMs: 0,
    asked: leader,
  };
  return differences.length === 0
    ? { ...evidence, status: 'pass', message: 'Postgres holds exactly what the map says' }
    : {
        ...evidence,
        status: 'fail',
        message: `Postgres differs from the map: ${differences.join('; ')}`,
        next: `capstan cluster show ${cluster}`,
      };
}

function shardDifferences(owned: readonly ShardRecord[], held: LeaderFacts['shards']): string[] {
  const byShard = new Map(held.filter(({ state }) => state !== 'moved').map((row) => [row.shard, row]));
  const wrong = owned.filter(({ shard, generation, state }) => {
    const row = byShard.get(shard);
    return row?.generation !== generation || row.state !== state;
  });
  const mine = new Set(owned.map(({ shard }) => shard));
  const foreign = [...byShard.keys()].filter((shard) => !mine.has(shard));
  return [
    ...(wrong.length === 0
      ? []
      : [`shards ${named(wrong.map(({ shard }) => shard))} are missing or other there`]),
    ...(foreign.length === 0 ? [] : [`shards ${named(foreign)} are another cluster's`]),
  ];
}

const named = (shards: readonly number[]) =>
  shards.length <= NAMED_MAX
    ? shards.join(', ')
    : `${shards.slice(0, NAMED_MAX).join(', ')} and ${shards.length - NAMED_MAX} more`;
