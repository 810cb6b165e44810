import type { Contract } from '../domain/contract.ts';
import type { EstateRecord, MapRecord, ShardRecord } from '../domain/records.ts';
import type { ShardId } from '../domain/shard.ts';
import type { EtcdPort, KeyValue } from '../etcd/port.ts';
import { type ClusterView, clusterOfKey, clusterViewFrom, emptyClusterView } from './cluster-view.ts';
import type { Keys } from './keys.ts';
import type { LiveRecords, WatchReport } from './live-records.ts';
import { LiveView } from './live-view.ts';
import { recordOf, type Versioned } from './store.ts';

/** An estate as its daemons see it: one consistent state of etcd, never an earlier one after a later one. */
export interface EstateView {
  readonly estate: Versioned<EstateRecord> | undefined;
  readonly contract: Versioned<Contract> | undefined;
  readonly map: Versioned<MapRecord> | undefined;
  readonly shards: ReadonlyMap<ShardId, Versioned<ShardRecord>>;
  readonly clusters: ReadonlyMap<string, ClusterView>;
  /** The store revision of the last change that is in this view. */
  readonly revision: string;
}

export type EstateWatch = LiveView<EstateView>;
export type ClusterWatch = LiveView<ClusterView>;

export interface WatchEstateOptions {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  /** Whether clusters show their members' heartbeats (several changes a second); default false. */
  readonly heartbeats?: boolean;
  /** Told of everything that was not believed. */
  readonly onReport?: (report: WatchReport) => void;
  /** Told of each break of the connection; the watch mends itself. */
  readonly onBreak?: (error: unknown) => void;
}

const NOTHING: EstateView = {
  estate: undefined,
  contract: undefined,
  map: undefined,
  shards: new Map(),
  clusters: new Map(),
  revision: '0',
};

/** Follows a whole estate. Resolves with the first view; throws `etcd_unreachable` when there is none in time. */
export function watchEstate(options: WatchEstateOptions): Promise<EstateWatch> {
  const { etcd, keys, heartbeats = false, onReport, onBreak } = options;
  const shown = (key: string) => heartbeats || !key.startsWith(heartbeatsOf(keys, key));
  return LiveView.open<EstateView>({
    etcd,
    keys,
    prefix: keys.live,
    initial: NOTHING,
    onReport,
    onBreak,
    next: (view, changed, records) => nextEstateView({ keys, view, changed, records, shown }),
  });
}

/** Follows one cluster with all that its agents need, heartbeats included. */
export function watchCluster(
  options: Omit<WatchEstateOptions, 'heartbeats'> & { readonly cluster: string },
): Promise<ClusterWatch> {
  const { etcd, keys, cluster, onReport, onBreak } = options;
  return LiveView.open<ClusterView>({
    etcd,
    keys,
    // The whole estate's prefix, so that another incarnation of the estate shows here too.
    prefix: keys.live,
    initial: emptyClusterView(cluster),
    onReport,
    onBreak,
    next: (view, changed, { kvs }) => {
      const prefix = keys.cluster(cluster);
      if (![...changed].some((key) => key.startsWith(prefix))) return view;
      const own = [...kvs.values()].filter(({ key }) => key.startsWith(prefix));
      return clusterViewFrom({ keys, cluster, kvs: own });
    },
  });
}

function nextEstateView({
  keys,
  view,
  changed,
  records,
  shown,
}: {
  keys: Keys;
  view: EstateView;
  changed: ReadonlySet<string>;
  records: LiveRecords;
  shown: (key: string) => boolean;
}): EstateView {
  const { kvs, revision } = records;
  const keysShown = [...changed].filter(shown);
  if (keysShown.length === 0) return view;
  const one = <T>(key: string, before: Versioned<T> | undefined): Versioned<T> | undefined => {
    if (!changed.has(key)) return before;
    const kv = kvs.get(key);
    return kv === undefined ? undefined : recordOf<T>(kv);
  };
  return {
    estate: one(keys.estate, view.estate),
    contract: one(keys.contract, view.contract),
    map: one(keys.map, view.map),
    shards: nextShards(keys, view.shards, { changed: keysShown, kvs }),
    clusters: nextClusters(keys, view.clusters, { changed: keysShown, kvs, shown }),
    revision,
  };
}

type Kvs = ReadonlyMap<string, KeyValue>;

function nextShards(
  keys: Keys,
  before: EstateView['shards'],
  { changed, kvs }: { changed: readonly string[]; kvs: Kvs },
): EstateView['shards'] {
  const own = changed.filter((key) => key.startsWith(keys.shards));
  if (own.length === 0) return before;
  const shards = new Map(before);
  for (const key of own) {
    const kv = kvs.get(key);
    if (kv === undefined) continue;
    const record = recordOf<ShardRecord>(kv);
    shards.set(record.value.shard, record);
  }
  return shards;
}

function nextClusters(
  keys: Keys,
  before: EstateView['clusters'],
  { changed, kvs, shown }: { changed: readonly string[]; kvs: Kvs; shown: (key: string) => boolean },
): EstateView['clusters'] {
  const names = new Set(changed.map((key) => clusterOfKey(keys, key)).filter((name) => name !== undefined));
  if (names.size === 0) return before;
  const clusters = new Map(before);
  for (const cluster of names) {
    const prefix = keys.cluster(cluster);
    const own = [...kvs.values()].filter(({ key }) => key.startsWith(prefix) && shown(key));
    if (own.length === 0) clusters.delete(cluster);
    else clusters.set(cluster, clusterViewFrom({ keys, cluster, kvs: own }));
  }
  return clusters;
}

/** The heartbeat prefix of the cluster that a key belongs to; a prefix of no key when it belongs to none. */
function heartbeatsOf(keys: Keys, key: string): string {
  const cluster = clusterOfKey(keys, key);
  return cluster === undefined ? '\u{10ffff}' : keys.heartbeats(cluster);
}
