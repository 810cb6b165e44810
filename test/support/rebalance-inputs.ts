/** What a rebalance is planned from, made up: clusters that are well, and shards with figures. */
import { parseContract } from '../../src/config/contract.ts';
import { type ClusterView, emptyClusterView } from '../../src/controlplane/cluster-view.ts';
import type { MeasuredCluster, RebalancePlanInputs } from '../../src/controlplane/rebalance/plan-inputs.ts';
import { planRebalance } from '../../src/controlplane/rebalance/plan.ts';
import type { ShardCost } from '../../src/controlplane/rebalance/shard-cost.ts';
import type { Versioned } from '../../src/controlplane/store.ts';
import type { HeartbeatRecord } from '../../src/domain/agent-reports.ts';
import type { ReplicationRoom } from '../../src/postgres/queries/replication-room.ts';

export const NOW = Date.parse('2026-01-01T12:00:00.000Z');
const at = new Date(NOW - 300).toISOString();
export const versioned = <T>(value: T): Versioned<T> => ({ value, revision: '7' });

const CONTRACT = parseContract(
  `
version: 1
lease: {ttl: 3s, renewEvery: 700ms, margin: 400ms, drift: 300ms}
durability: {openDegraded: true}
rpo: {budget: 5s, gate: 3s, release: 1s, action: degrade}
rto: {max: 10m}
movePause: {max: 1s}
deadlines: {decision: 2500ms, read: 2s, lockWait: 1s, etcd: 2s, freeze: 3s, promote: 3s, open: 3s}
admission: {queuePerShardMax: 2000, batchCommandsMax: 128}
liveness: {heartbeatEvery: 1s, heartbeatTtl: 5s, clockSkewMax: 500ms}
`,
  'test',
);

export const ROOM: ReplicationRoom = {
  inRecovery: false,
  majorVersion: 15,
  migrations: [1, 2, 3],
  walLevel: 'logical',
  tablesWithoutIdentity: [],
  slots: { max: 60, used: 2 },
  walsenders: { max: 60, used: 2 },
  workers: { max: 60, used: 0 },
};

/** Open, its leader well, in sync, with nothing to claim: no observer. */
export function wellCluster(
  name: string,
  homeRegion = 'new-york',
  over: Partial<ClusterView> = {},
): ClusterView {
  const [leader, follower] = [`${name}-a`, `${name}-b`];
  const beat = { ...BEAT, member: leader, cluster: name, region: homeRegion };
  return {
    ...emptyClusterView(name),
    record: versioned({ name, homeRegion, bootstrapMember: leader, createdAt: at }),
    authority: versioned({
      term: 3,
      leader,
      phase: 'open' as const,
      operation: null,
      prefix: null,
      since: at,
    }),
    membership: versioned({
      epoch: 2,
      members: {
        [leader]: { region: homeRegion, role: 'voter' as const },
        [follower]: { region: homeRegion, role: 'voter' as const },
      },
    }),
    inSync: versioned({
      term: 3,
      epoch: 2,
      voters: [{ member: follower, incarnation: `${follower}-1` }],
      required: 1,
      degraded: false,
      since: at,
    }),
    lease: versioned({ term: 3, leader, grantId: 'g', sequence: 1, ttlMs: 3_000, renewedAt: at }),
    heartbeats: new Map([[leader, versioned(beat)]]),
    ...over,
  };
}

const BEAT: HeartbeatRecord = {
  member: '',
  cluster: '',
  region: '',
  incarnation: 'i',
  state: 'leading',
  reason: null,
  term: 3,
  epoch: 2,
  timeline: 1,
  postgresUp: true,
  writable: true,
  receivedLsn: null,
  replayedLsn: null,
  flushedLsn: '0/5000000',
  leaseLeftMs: 2_000,
  synchronousStandbyNames: null,
  followers: [],
  version: 'test',
  at,
};

export interface MadeUpShard {
  readonly shard: number;
  readonly cluster: string;
  readonly cost: ShardCost;
}

/** Inputs of a plan over these clusters and shards; everybody can be asked and has room. */
export function planInputs(
  clusters: readonly ClusterView[],
  shards: readonly MadeUpShard[],
  over: Partial<RebalancePlanInputs> = {},
): RebalancePlanInputs {
  const byCluster = Map.groupBy(shards, ({ cluster }) => cluster);
  const measuredOf = (name: string): MeasuredCluster => ({
    kind: 'measured',
    costs: new Map((byCluster.get(name) ?? []).map(({ shard, cost }) => [shard, cost])),
    room: ROOM,
    diskFreeBytes: '1000000000000',
  });
  return {
    ask: { kind: 'balance' },
    limits: {
      anyRegion: false,
      shardsMax: 1_000,
      tolerance: 0.1,
      concurrentCopiesMax: 2,
      pauseBudgetMs: 1_000,
      verifyMaxAgeMs: 600_000,
    },
    mapVersion: 5,
    shards: shards.map(({ shard, cluster }) => ({
      shard,
      cluster,
      generation: 1,
      state: 'serving',
      mapVersion: 1,
    })),
    clusters: new Map(clusters.map((view) => [view.name, view])),
    measured: new Map(clusters.map(({ name }) => [name, measuredOf(name)])),
    moving: new Map(),
    pinned: new Map(),
    reached: new Set(),
    contract: CONTRACT,
    nowMs: NOW,
    ...over,
  };
}

export const costOf = (decisionsPerSecond: number): ShardCost => ({
  rows: 1_000,
  bytes: 100_000,
  decisionsPerSecond,
});

/** What a plan moves, shard by shard. */
export const movesOf = (inputs: RebalancePlanInputs) =>
  planRebalance(inputs).plan.streams.flatMap(({ from, to, shards }) =>
    shards.map((shard) => ({ shard, from, to })),
  );
