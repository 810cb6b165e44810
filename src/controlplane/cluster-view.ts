import { type CapstanError, refusedError } from '../domain/errors.ts';
import type {
  FreezeReport,
  HandoverReady,
  HandoverReport,
  HandoverRequest,
  HeartbeatRecord,
  PromotionReport,
  StopReport,
} from '../domain/agent-reports.ts';
import type { LossRecord } from '../domain/loss-records.ts';
import type {
  BlockRecord,
  CoordinatorRecord,
  PauseRecord,
  TallyRecord,
} from '../domain/operation-records.ts';
import type {
  AuthorityRecord,
  ClaimRecord,
  ClusterRecord,
  InSyncRecord,
  LeaseRecord,
  MemberRecord,
  MembershipRecord,
} from '../domain/records.ts';
import type { RejoinRequest, RestoreReport, SalvageReport } from '../domain/rejoin-records.ts';
import type { SweepReport, SweepRequest } from '../domain/sweep-records.ts';
import type { CallOptions, EtcdReader, KeyValue } from '../etcd/port.ts';
import type { Keys } from './keys.ts';
import { recordOf, type Versioned } from './store.ts';

/** Everything that etcd holds of one cluster, from one consistent answer. */
export interface ClusterView {
  readonly name: string;
  readonly record: Versioned<ClusterRecord> | undefined;
  readonly authority: Versioned<AuthorityRecord> | undefined;
  readonly membership: Versioned<MembershipRecord> | undefined;
  readonly inSync: Versioned<InSyncRecord> | undefined;
  readonly lease: Versioned<LeaseRecord> | undefined;
  readonly claim: Versioned<ClaimRecord> | undefined;
  /** The id of the operation that may change the authority. */
  readonly activeOperation: Versioned<string> | undefined;
  /** By member name: the id of the operation that changes its place. */
  readonly memberOperations: ReadonlyMap<string, Versioned<string>>;
  /** By member name. */
  readonly members: ReadonlyMap<string, Versioned<MemberRecord>>;
  readonly heartbeats: ReadonlyMap<string, Versioned<HeartbeatRecord>>;
  readonly frozen: ReadonlyMap<string, Versioned<FreezeReport>>;
  readonly stopped: ReadonlyMap<string, Versioned<StopReport>>;
  readonly promotion: Versioned<PromotionReport> | undefined;
  /** Of a switchover: what it asks, and what the leader's agent answered. */
  readonly handoverRequest: Versioned<HandoverRequest> | undefined;
  readonly handoverReady: Versioned<HandoverReady> | undefined;
  readonly handoverReport: Versioned<HandoverReport> | undefined;
  readonly pause: Versioned<PauseRecord> | undefined;
  readonly block: Versioned<BlockRecord> | undefined;
  readonly tally: Versioned<TallyRecord> | undefined;
  /** By operation id. */
  readonly losses: ReadonlyMap<string, Versioned<LossRecord>>;
  /** By member. */
  readonly rejoins: ReadonlyMap<string, Versioned<RejoinRequest>>;
  readonly salvaged: ReadonlyMap<string, Versioned<SalvageReport>>;
  readonly restored: ReadonlyMap<string, Versioned<RestoreReport>>;
  /** Of what is left of moves that are over: what is to go, and what the leader's agent answered. */
  readonly sweepRequest: Versioned<SweepRequest> | undefined;
  readonly sweepReport: Versioned<SweepReport> | undefined;
  /** By coordinator id. */
  readonly coordinators: ReadonlyMap<string, Versioned<CoordinatorRecord>>;
}

/** A cluster of which etcd holds nothing yet. */
export const emptyClusterView = (name: string): ClusterView => ({
  name,
  record: undefined,
  authority: undefined,
  membership: undefined,
  inSync: undefined,
  lease: undefined,
  claim: undefined,
  activeOperation: undefined,
  memberOperations: new Map(),
  members: new Map(),
  heartbeats: new Map(),
  frozen: new Map(),
  stopped: new Map(),
  promotion: undefined,
  handoverRequest: undefined,
  handoverReady: undefined,
  handoverReport: undefined,
  pause: undefined,
  block: undefined,
  tally: undefined,
  losses: new Map(),
  rejoins: new Map(),
  salvaged: new Map(),
  restored: new Map(),
  sweepRequest: undefined,
  sweepReport: undefined,
  coordinators: new Map(),
});

/** Undefined when etcd holds no such cluster. */
export async function readClusterView(
  etcd: EtcdReader,
  keys: Keys,
  cluster: string,
  options?: CallOptions,
): Promise<ClusterView | undefined> {
  const { kvs } = await etcd.range(keys.cluster(cluster), options);
  return kvs.length === 0 ? undefined : clusterViewFrom({ keys, cluster, kvs });
}

/** Of a cluster that must be there: `cluster_not_found` (exit 4). */
export const clusterNotFound = (cluster: string): CapstanError =>
  refusedError(`there is no cluster ${JSON.stringify(cluster)}`, {
    code: 'cluster_not_found',
    next: 'capstan cluster list',
  });

/** Every cluster of the estate, in name order, from one consistent answer. */
export async function listClusterViews(
  etcd: EtcdReader,
  keys: Keys,
  options?: CallOptions,
): Promise<readonly ClusterView[]> {
  const { kvs } = await etcd.range(keys.clusters, options);
  return clusterViewsFrom(keys, kvs);
}

export function clusterViewsFrom(keys: Keys, kvs: readonly KeyValue[]): readonly ClusterView[] {
  const byCluster = Map.groupBy(kvs, ({ key }) => clusterOfKey(keys, key) ?? '');
  return [...byCluster]
    .filter(([cluster]) => cluster !== '')
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([cluster, own]) => clusterViewFrom({ keys, cluster, kvs: own }));
}

/** The cluster whose key this is, or undefined for any other key. */
export function clusterOfKey(keys: Keys, key: string): string | undefined {
  if (!key.startsWith(keys.clusters)) return undefined;
  const [cluster, rest] = key.slice(keys.clusters.length).split('/', 2);
  return rest === undefined ? undefined : cluster;
}

/** Builds the view from the cluster's keys; keys of later versions of Capstan are passed over. */
export function clusterViewFrom({
  keys,
  cluster,
  kvs,
}: {
  readonly keys: Keys;
  readonly cluster: string;
  readonly kvs: readonly KeyValue[];
}): ClusterView {
  const byKey = new Map(kvs.map((kv) => [kv.key, kv]));
  const one = <T>(key: string): Versioned<T> | undefined => {
    const kv = byKey.get(key);
    return kv === undefined ? undefined : recordOf<T>(kv);
  };
  const under = <T>(prefix: string): ReadonlyMap<string, Versioned<T>> =>
    new Map(
      kvs
        .filter(({ key }) => key.startsWith(prefix))
        .map((kv) => [kv.key.slice(prefix.length), recordOf<T>(kv)]),
    );
  return {
    name: cluster,
    record: one(keys.clusterRecord(cluster)),
    authority: one(keys.authority(cluster)),
    membership: one(keys.membership(cluster)),
    inSync: one(keys.inSync(cluster)),
    lease: one(keys.lease(cluster)),
    claim: one(keys.claim(cluster)),
    activeOperation: one(keys.activeOperation(cluster)),
    memberOperations: under(keys.memberOperations(cluster)),
    members: under(keys.members(cluster)),
    heartbeats: under(keys.heartbeats(cluster)),
    frozen: under(keys.frozenReports(cluster)),
    stopped: under(keys.stopReports(cluster)),
    promotion: one(keys.promotionReport(cluster)),
    handoverRequest: one(keys.handoverRequest(cluster)),
    handoverReady: one(keys.handoverReady(cluster)),
    handoverReport: one(keys.handoverReport(cluster)),
    pause: one(keys.automaticPause(cluster)),
    block: one(keys.automaticBlock(cluster)),
    tally: one(keys.automaticTally(cluster)),
    losses: under(keys.losses(cluster)),
    rejoins: under(keys.rejoins(cluster)),
    salvaged: under(keys.salvagedReports(cluster)),
    restored: under(keys.restoredReports(cluster)),
    sweepRequest: one(keys.sweepRequest(cluster)),
    sweepReport: one(keys.sweepReport(cluster)),
    coordinators: under(keys.coordinators(cluster)),
  };
}
