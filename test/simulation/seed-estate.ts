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
import type { MemberSeed } from './area.ts';
import type { Random } from './random.ts';
import type { SimMemory } from './sim-agent.ts';
import type { SimEtcd } from './sim-etcd.ts';
import { emptyDisk, type SimPostgres } from './sim-postgres.ts';
import type { LogRecord } from './wal.ts';

const AT = '2026-01-01T00:00:00.000Z';
const ESTATE = 'estate-1';
const SYSTEM = 'system-1';

/** What `init` and `cluster create` leave behind; unless `fresh`, also a first leader with its followers, all stopped. */
export function seedEstate(options: {
  readonly etcd: SimEtcd;
  readonly keys: Keys;
  readonly cluster: string;
  readonly shards: number;
  readonly contract: Contract;
  readonly members: readonly SimPostgres[];
  readonly places: readonly MemberSeed[];
  readonly memories: ReadonlyMap<string, SimMemory>;
  readonly fresh: boolean;
  readonly random: Random;
}): void {
  const { etcd, keys, cluster, shards, contract, places, fresh } = options;
  const records = new Map<string, unknown>([
    [
      keys.estate,
      { name: 'sim', incarnation: ESTATE, shardCount: shards, createdAt: AT } satisfies EstateRecord,
    ],
    [keys.contract, contract],
    [keys.map, { version: 1, updatedAt: AT } satisfies MapRecord],
    [
      keys.clusterRecord(cluster),
      { name: cluster, homeRegion: 'here', bootstrapMember: 'm1', createdAt: AT } satisfies ClusterRecord,
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
        leader: fresh ? null : 'm1',
        phase: fresh ? 'bootstrap' : 'open',
        operation: null,
        prefix: null,
        since: AT,
      } satisfies AuthorityRecord,
    ],
  ]);
  for (let shard = 0; shard < shards; shard += 1)
    records.set(keys.shard(shard), {
      shard,
      cluster,
      generation: 1,
      state: 'serving',
      mapVersion: 1,
    } satisfies ShardRecord);
  if (!fresh) for (const [key, value] of runningCluster(options)) records.set(key, value);
  const writes: Write[] = [...records].map(([key, value]) => ({
    kind: 'put',
    key,
    value: JSON.stringify(value),
  }));
  etcd.transact([], writes);
}

function runningCluster({
  keys,
  cluster,
  shards,
  members,
  places,
  memories,
  random,
}: Parameters<typeof seedEstate>[0]): readonly [string, unknown][] {
  const adopted: LogRecord = {
    lsn: 0x100_0060,
    timeline: 1,
    by: 'm1',
    change: {
      kind: 'adopt',
      cluster,
      epoch: 1,
      term: 1,
      reason: 'bootstrap',
      incarnation: ESTATE,
      shards: Array.from({ length: shards }, (_, shard) => ({ shard, generation: 1, state: 'serving' })),
    },
  };
  const incarnations = new Map(members.map(({ member }) => [member, random.hex(12)]));
  const spare = new Set(places.filter(({ role }) => role === 'spare').map(({ member }) => member));
  for (const postgres of members) {
    const { member } = postgres;
    if (spare.has(member)) continue;
    const leads = member === 'm1';
    postgres.disk = {
      ...emptyDisk(),
      exists: true,
      standbySignal: !leads,
      system: SYSTEM,
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
    .filter(({ member, role }) => member !== 'm1' && role === 'voter')
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
          systemIdentifier: SYSTEM,
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
