import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { EstateConfig } from '../config/estate-config.ts';
import type { Contract } from '../domain/contract.ts';
import { refusedError, usageError } from '../domain/errors.ts';
import type { EstateRecord, MapChangeRecord, MapRecord, ShardRecord } from '../domain/records.ts';
import { DEFAULT_SHARD_COUNT } from '../domain/shard.ts';
import type { EtcdPort } from '../etcd/port.ts';
import { auditIn } from './audit.ts';
import type { Keys } from './keys.ts';
import { type OwnerMap, spreadShards } from './map-diff.ts';
import { ABSENT, concurrentChange, readRecord, revisionOf, Transaction, type Versioned } from './store.ts';

export const SHARD_COUNT_MAX = 8_192;
const CHUNK_SHARDS = 100;

export interface InitOptions {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly config: Pick<EstateConfig, 'clusters'>;
  readonly contract: Contract;
  readonly shardCount?: number;
  readonly actor: string;
}

export interface InitResult {
  readonly changed: boolean;
  readonly estate: EstateRecord;
  readonly mapVersion: number;
}

/**
 * Creates an estate: the first shard entries in chunks, then estate, contract and map version 1 in one transaction, so
 * that an estate exists exactly when `map` does. Each transaction compares the marker of this very run: of two that run
 * at once one is refused, and a run that died is completed by the next. Run again on an estate that is the same, it
 * changes nothing; on another it is refused (`estate_differs`, exit 4).
 */
export async function initEstate(options: InitOptions): Promise<InitResult> {
  const { config, shardCount = DEFAULT_SHARD_COUNT } = options;
  const clusters = Object.keys(config.clusters);
  if (!Number.isInteger(shardCount) || shardCount < 1 || shardCount > SHARD_COUNT_MAX) {
    throw usageError(`an estate has 1 to ${SHARD_COUNT_MAX} shards, not ${shardCount}`, {
      code: 'shard_count_invalid',
    });
  }
  if (clusters.length === 0) {
    throw usageError('the configuration names no cluster to own the shards', { code: 'clusters_missing' });
  }
  const existing = await existingEstate(options, shardCount);
  if (existing !== undefined) return existing;
  const marker = await claim(options);
  const owners = spreadShards(shardCount, clusters);
  await writeShards(options, marker, owners);
  return finish({ ...options, shardCount }, marker, owners);
}

async function existingEstate(
  { etcd, keys, contract }: InitOptions,
  shardCount: number,
): Promise<InitResult | undefined> {
  const [map, estate, stored] = await Promise.all([
    readRecord<MapRecord>(etcd, keys.map),
    readRecord<EstateRecord>(etcd, keys.estate),
    readRecord<Contract>(etcd, keys.contract),
  ]);
  if (map === undefined || estate === undefined || stored === undefined) return undefined;
  const differences = [
    ...(estate.value.shardCount === shardCount ? [] : ['shardCount']),
    ...(isDeepStrictEqual(stored.value, contract) ? [] : ['contract']),
  ];
  if (differences.length === 0) {
    return { changed: false, estate: estate.value, mapVersion: map.value.version };
  }
  throw refusedError(`the estate ${keys.name} exists already, with another ${differences.join(' and ')}`, {
    code: 'estate_differs',
    next: 'capstan status',
    data: { differences, shardCount: estate.value.shardCount, createdAt: estate.value.createdAt },
  });
}

interface Marker {
  readonly incarnation: string;
  readonly startedAt: string;
}

/** Takes the initialisation over from whoever began one before: their next transaction fails. */
async function claim({ etcd, keys }: InitOptions): Promise<Versioned<Marker>> {
  const before = await readRecord<Marker>(etcd, keys.initMarker);
  const value = { incarnation: randomUUID(), startedAt: new Date().toISOString() };
  const revision = await new Transaction(etcd)
    .expect(keys.initMarker, revisionOf(before))
    .expect(keys.map, ABSENT)
    .put(keys.initMarker, value)
    .commitAt();
  if (revision === undefined) throw concurrentChange(`the estate ${keys.name}`);
  return { value, revision };
}

async function writeShards(
  { etcd, keys }: InitOptions,
  marker: Versioned<Marker>,
  owners: OwnerMap,
): Promise<void> {
  const wanted = new Map(
    [...owners].map(([shard, owner]): [string, ShardRecord] => [
      keys.shard(shard),
      { shard, ...owner, state: 'serving', mapVersion: 1 },
    ]),
  );
  const { kvs } = await etcd.range(keys.shards);
  const left = kvs
    .filter(({ key }) => !wanted.has(key))
    .map(({ key }): [string, undefined] => [key, undefined]);
  const writes = [...left, ...wanted];
  for (let start = 0; start < writes.length; start += CHUNK_SHARDS) {
    const transaction = new Transaction(etcd)
      .expect(keys.map, ABSENT)
      .expect(keys.initMarker, marker.revision);
    for (const [key, record] of writes.slice(start, start + CHUNK_SHARDS)) {
      if (record === undefined) transaction.delete(key);
      else transaction.put(key, record);
    }
    if (!(await transaction.commit())) throw concurrentChange(`the estate ${keys.name}`);
  }
}

async function finish(
  { etcd, keys, contract, shardCount, actor }: InitOptions & { shardCount: number },
  marker: Versioned<Marker>,
  owners: OwnerMap,
): Promise<InitResult> {
  const at = new Date().toISOString();
  const estate: EstateRecord = {
    name: keys.name,
    incarnation: marker.value.incarnation,
    shardCount,
    createdAt: at,
  };
  const map: MapRecord = { version: 1, updatedAt: at };
  const change: MapChangeRecord = {
    version: 1,
    at,
    actor,
    reason: 'init',
    operation: null,
    changes: [...owners].map(([shard, to]) => ({ shard, from: null, to })),
  };
  const transaction = new Transaction(etcd)
    .expect(keys.map, ABSENT)
    .expect(keys.initMarker, marker.revision)
    .put(keys.estate, estate)
    .put(keys.contract, contract)
    .put(keys.map, map)
    .put(keys.mapChange(1), change)
    .delete(keys.initMarker);
  auditIn(transaction, keys, { actor, action: 'estate.init', target: keys.name, after: estate });
  if (!(await transaction.commit())) throw concurrentChange(`the estate ${keys.name}`);
  return { changed: true, estate, mapVersion: 1 };
}
