import { refusedError } from '../domain/errors.ts';
import type { MapChangeRecord, ShardOwner, ShardRecord } from '../domain/records.ts';
import type { EtcdReader } from '../etcd/port.ts';
import { type EstateSnapshot, readEstateSnapshot } from './estate-snapshot.ts';
import type { Keys } from './keys.ts';
import { diffOwners, type OwnerMap, ownersAt, type ShardChange } from './map-diff.ts';
import { rangeRecords } from './store.ts';

/** The whole map, from one consistent answer. */
export type ShardMap = Pick<EstateSnapshot, 'map' | 'shards'>;

/** Throws `estate_missing` (exit 4). */
export async function readMap(etcd: EtcdReader, keys: Keys): Promise<ShardMap> {
  const { map, shards } = await readEstateSnapshot(etcd, keys);
  return { map, shards };
}

/** Just the owners. */
export const ownersOf = ({ shards }: Pick<ShardMap, 'shards'>): OwnerMap =>
  new Map([...shards].map(([shard, { value }]) => [shard, ownerOf(value)]));

export const ownerOf = ({ cluster, generation }: ShardRecord): ShardOwner => ({ cluster, generation });

/** The map's versions, oldest first; with a limit, the newest. */
export async function mapHistory(
  etcd: EtcdReader,
  keys: Keys,
  { limit = 1_000 }: { readonly limit?: number } = {},
): Promise<readonly MapChangeRecord[]> {
  const { records } = await rangeRecords<MapChangeRecord>(etcd, keys.mapHistory);
  return [...records.values()].map(({ value }) => value).slice(-limit);
}

/** What turned the map's version `from` into version `to` (either may be the newer one). */
export async function mapDiff(
  etcd: EtcdReader,
  keys: Keys,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<readonly ShardChange[]> {
  const at = await mapReaderAt(etcd, keys);
  return diffOwners(at(from), at(to));
}

/** The owners at one version of the map. Throws `map_version_missing` (exit 4) for one that never was. */
export async function readOwnersAt(etcd: EtcdReader, keys: Keys, version: number): Promise<OwnerMap> {
  return (await mapReaderAt(etcd, keys))(version);
}

async function mapReaderAt(etcd: EtcdReader, keys: Keys): Promise<(version: number) => OwnerMap> {
  const shardMap = await readMap(etcd, keys);
  const history = await mapHistory(etcd, keys, { limit: Infinity });
  const currentVersion = shardMap.map.value.version;
  return (version) => {
    if (!Number.isInteger(version) || version < 1 || version > currentVersion) {
      throw refusedError(`the map has no version ${version}; the newest is ${currentVersion}`, {
        code: 'map_version_missing',
        next: 'capstan map history',
        data: { version, currentVersion },
      });
    }
    return ownersAt({ current: ownersOf(shardMap), currentVersion, history, version });
  };
}
