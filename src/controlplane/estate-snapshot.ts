import type { Contract } from '../domain/contract.ts';
import type { MoveRecord, MoveReport } from '../domain/move-records.ts';
import type { EstateRecord, MapRecord, ShardRecord } from '../domain/records.ts';
import type { ShardId } from '../domain/shard.ts';
import type { CallOptions, EtcdReader, KeyValue } from '../etcd/port.ts';
import { type ClusterView, clusterOfKey, clusterViewFrom } from './cluster-view.ts';
import type { Keys } from './keys.ts';
import { estateMissing, recordOf, type Versioned } from './store.ts';

/** An estate at one moment: one consistent state of etcd. */
export interface EstateView {
  readonly estate: Versioned<EstateRecord> | undefined;
  readonly contract: Versioned<Contract> | undefined;
  readonly map: Versioned<MapRecord> | undefined;
  readonly shards: ReadonlyMap<ShardId, Versioned<ShardRecord>>;
  readonly clusters: ReadonlyMap<string, ClusterView>;
  /** Streams of shards on the move, by their keys. */
  readonly moves: ReadonlyMap<string, Versioned<MoveRecord>>;
  readonly moveReports: ReadonlyMap<string, Versioned<MoveReport>>;
  /** The store revision of the last change that is in this view. */
  readonly revision: string;
}

/** An estate of which etcd holds nothing yet. */
export const EMPTY_ESTATE_VIEW: EstateView = {
  estate: undefined,
  contract: undefined,
  map: undefined,
  shards: new Map(),
  clusters: new Map(),
  moves: new Map(),
  moveReports: new Map(),
  revision: '0',
};

type Kvs = ReadonlyMap<string, KeyValue>;

/** One consistent state of the keys that an estate's view is made of. */
interface EstateRecords {
  readonly kvs: Kvs;
  readonly ofCluster: (cluster: string) => readonly KeyValue[];
  readonly revision: string;
}

/** An estate that exists. */
export interface EstateSnapshot extends EstateView {
  readonly estate: Versioned<EstateRecord>;
  readonly contract: Versioned<Contract>;
  readonly map: Versioned<MapRecord>;
}

/** Reads the whole estate in one consistent answer. Throws `estate_missing` (exit 4). */
export async function readEstateSnapshot(
  etcd: EtcdReader,
  keys: Keys,
  options?: CallOptions,
): Promise<EstateSnapshot> {
  const { kvs, revision } = await etcd.range(keys.live, options);
  const byKey = new Map(kvs.map((kv) => [kv.key, kv]));
  const changed = new Set(byKey.keys());
  const clusters = Map.groupBy(kvs, ({ key }) => clusterOfKey(keys, key));
  const ofCluster = (name: string) => clusters.get(name) ?? [];
  const records = { kvs: byKey, ofCluster, revision };
  const view = nextEstateView({ keys, view: EMPTY_ESTATE_VIEW, changed, records });
  const { estate, contract, map } = view;
  if (estate === undefined || contract === undefined || map === undefined) throw estateMissing(keys);
  return { ...view, estate, contract, map };
}

/** The view after `changed` keys changed; the same object when nothing of it is shown. */
export function nextEstateView({
  keys,
  view,
  changed,
  records,
  shown = () => true,
}: {
  keys: Keys;
  view: EstateView;
  changed: ReadonlySet<string>;
  records: EstateRecords;
  shown?: (key: string) => boolean;
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
    clusters: nextClusters(keys, view.clusters, { changed: keysShown, records, shown }),
    moves: nextByKey(keys.moves, view.moves, { changed: keysShown, kvs }),
    moveReports: nextByKey(keys.moveReports, view.moveReports, { changed: keysShown, kvs }),
    revision,
  };
}

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

function nextByKey<T>(
  prefix: string,
  before: ReadonlyMap<string, Versioned<T>>,
  { changed, kvs }: { changed: readonly string[]; kvs: Kvs },
): ReadonlyMap<string, Versioned<T>> {
  const own = changed.filter((key) => key.startsWith(prefix));
  if (own.length === 0) return before;
  const records = new Map(before);
  for (const key of own) {
    const kv = kvs.get(key);
    if (kv === undefined) records.delete(key);
    else records.set(key, recordOf<T>(kv));
  }
  return records;
}

function nextClusters(
  keys: Keys,
  before: EstateView['clusters'],
  {
    changed,
    records,
    shown,
  }: { changed: readonly string[]; records: EstateRecords; shown: (key: string) => boolean },
): EstateView['clusters'] {
  const names = new Set(changed.map((key) => clusterOfKey(keys, key)).filter((name) => name !== undefined));
  if (names.size === 0) return before;
  const clusters = new Map(before);
  for (const cluster of names) {
    const own = records.ofCluster(cluster).filter(({ key }) => shown(key));
    if (own.length === 0) clusters.delete(cluster);
    else clusters.set(cluster, clusterViewFrom({ keys, cluster, kvs: own }));
  }
  return clusters;
}
