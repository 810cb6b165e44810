import type { Keys } from '../../src/controlplane/keys.ts';
import type { Contract } from '../../src/domain/contract.ts';
import type {
  AuthorityRecord,
  ClusterRecord,
  EstateRecord,
  InSyncRecord,
  MapRecord,
  MemberRecord,
  MembershipRecord,
  ShardRecord,
} from '../../src/domain/records.ts';
import type { Write } from '../../src/etcd/port.ts';
import { clusterOf, type MemberSeed } from './area.ts';
import type { Random } from './random.ts';
import type { SimMemory } from './sim-agent.ts';
import type { SimEtcd } from './sim-etcd.ts';
import { emptyDisk, type SimPostgres } from './sim-postgres.ts';
import type { LogRecord } from './wal.ts';

const AT = '2026-01-01T00:00:00.000Z';
const ESTATE = 'estate-1';

export interface SeedOptions {
  readonly etcd: SimEtcd;
  readonly keys: Keys;
  /** By number: whose each shard is. */
  readonly owners: readonly string[];
  readonly clusters: readonly string[];
  readonly contract: Contract;
  readonly members: readonly SimPostgres[];
  readonly places: readonly MemberSeed[];
  readonly memories: ReadonlyMap<string, SimMemory>;
  readonly fresh: boolean;
  readonly random: Random;
}

/** What `init` and `cluster create` leave behind; unless `fresh`, also first leaders with their followers, all stopped. */
export function seedEstate(options: SeedOptions): void {
  const { etcd, keys, owners, contract, clusters } = options;
  const records = new Map<string, unknown>([
    [
      keys.estate,
      { name: 'sim', incarnation: ESTATE, shardCount: owners.length, createdAt: AT } satisfies EstateRecord,
    ],
    [keys.contract, contract],
    [keys.map, { version: 1, updatedAt: AT } satisfies MapRecord],
  ]);
  for (const [shard, cluster] of owners.entries())
    records.set(keys.shard(shard), {
      shard,
      cluster,
      generation: 1,
      state: 'serving',
      mapVersion: 1,
    } satisfies ShardRecord);
  for (const cluster of clusters)
    for (const [key, value] of clusterRecords(options, cluster)) records.set(key, value);
  const writes: Write[] = [...records].map(([key, value]) => ({
    kind: 'put',
    key,
    value: JSON.stringify(value),
  }));
  etcd.transact([], writes);
}

function clusterRecords(options: SeedOptions, cluster: string): readonly [string, unknown][] {
  const { keys, fresh } = options;
  const places = options.places.filter((place) => clusterOf(place) === cluster);
  const first = places[0]?.member ?? '';
  return [
    [
      keys.clusterRecord(cluster),
      { name: cluster, homeRegion: 'here', bootstrapMember: first, createdAt: AT } satisfies ClusterRecord,
    ],
    [
      keys.membership(cluster),
      {
        epoch: 1,
        members: Object.fromEntries(
          places.flatMap(({ member, region, role }) =>
            role === 'spare' ? [] : [[member, { region, role }]],
          ),
        ),
      } satisfies MembershipRecord,
    ],
    [
      keys.authority(cluster),
      {
        term: 1,
        leader: fresh ? null : first,
        phase: fresh ? 'bootstrap' : 'open',
        operation: null,
        prefix: null,
        since: AT,
      } satisfies AuthorityRecord,
    ],
    ...(fresh ? [] : runningCluster(options, { cluster, places, first })),
  ];
}

function runningCluster(
  { keys, owners, memories, random, ...options }: SeedOptions,
  {
    cluster,
    places,
    first,
  }: { readonly cluster: string; readonly places: readonly MemberSeed[]; readonly first: string },
): readonly [string, unknown][] {
  const system = `system-${cluster.slice(1)}`;
  const own = new Set(places.map(({ member }) => member));
  const members = options.members.filter(({ member }) => own.has(member));
  const adopted: LogRecord = {
    lsn: 0x100_0060,
    timeline: 1,
    by: first,
    change: {
      kind: 'adopt',
      cluster,
      epoch: 1,
      term: 1,
      reason: 'bootstrap',
      incarnation: ESTATE,
      shards: owners.flatMap((owner, shard) =>
        owner === cluster ? [{ shard, generation: 1, state: 'serving' as const, mapVersion: 1 }] : [],
      ),
    },
  };
  const incarnations = new Map(members.map(({ member }) => [member, random.hex(12)]));
  const spare = new Set(places.filter(({ role }) => role === 'spare').map(({ member }) => member));
  for (const postgres of members) {
    const { member } = postgres;
    if (spare.has(member)) continue;
    const leads = member === first;
    postgres.disk = {
      ...emptyDisk(),
      exists: true,
      standbySignal: !leads,
      system,
      wal: [adopted],
      flushed: 1,
      syncNames: 'ANY 1 ("capstan_barrier")',
    };
    const memory = memories.get(member);
    if (memory !== undefined)
      memory.value = {
        ...memory.value,
        estate: ESTATE,
        incarnation: incarnations.get(member) ?? null,
        highestTerm: 1,
        highestEpoch: 1,
        highestMapVersion: 1,
        opened: leads ? 'primary' : 'standby',
        ledTerm: leads ? 1 : 0,
      };
  }
  const voters = places
    .filter(({ member, role }) => member !== first && role === 'voter')
    .map(({ member }) => ({ member, incarnation: incarnations.get(member) ?? '' }));
  return [
    ...places
      .filter(({ member }) => !spare.has(member))
      .map(({ member, region }): [string, unknown] => [
        keys.member(cluster, member),
        {
          name: member,
          cluster,
          region,
          incarnation: incarnations.get(member) ?? '',
          systemIdentifier: system,
          registeredAt: AT,
        } satisfies MemberRecord,
      ]),
    [
      keys.inSync(cluster),
      {
        term: 1,
        epoch: 1,
        voters,
        required: voters.length,
        degraded: false,
        since: AT,
      } satisfies InSyncRecord,
    ],
  ];
}
