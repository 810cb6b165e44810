import { refusedError, usageError } from '../domain/errors.ts';
import { CLIENT_ID_RULE, isClientId } from '../domain/identifiers.ts';
import type { AuthorityRecord, EstateRecord, MapRecord, ShardRecord } from '../domain/records.ts';
import { shardOf } from '../domain/shard.ts';
import type { EtcdReader } from '../etcd/port.ts';
import type { Keys } from './keys.ts';
import { estateMissing, readRecord } from './store.ts';

export interface IssuerRoute {
  readonly issuer: string;
  readonly entry: ShardRecord;
  readonly mapVersion: number;
  /** Null: the owner has not been created yet. */
  readonly authority: AuthorityRecord | null;
}

/**
 * Where an issuer's decisions are made now, by four small reads: quick enough for a command that loads no gRPC. Throws
 * CapstanError `issuer_invalid` (exit 2), `estate_missing` or `shard_missing` (exit 4), and what EtcdReader.get throws.
 */
export async function routeIssuer(options: {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly issuer: string;
}): Promise<IssuerRoute> {
  const { etcd, keys, issuer } = options;
  if (!isClientId(issuer)) {
    throw usageError(`issuer ${JSON.stringify(issuer)}: must be ${CLIENT_ID_RULE}`, {
      code: 'issuer_invalid',
    });
  }
  const [estate, map] = await Promise.all([
    readRecord<EstateRecord>(etcd, keys.estate),
    readRecord<MapRecord>(etcd, keys.map),
  ]);
  if (estate === undefined || map === undefined) throw estateMissing(keys);
  const shard = shardOf(issuer, estate.value.shardCount);
  const entry = await readRecord<ShardRecord>(etcd, keys.shard(shard));
  if (entry === undefined) throw shardMissing(shard);
  const authority = await readRecord<AuthorityRecord>(etcd, keys.authority(entry.value.cluster));
  return {
    issuer,
    entry: entry.value,
    // Two reads may straddle a change: the entry itself says at least which version wrote it.
    mapVersion: Math.max(map.value.version, entry.value.mapVersion),
    authority: authority?.value ?? null,
  };
}

export const shardMissing = (shard: number) =>
  refusedError(`the estate has no shard ${shard}`, {
    code: 'shard_missing',
    next: 'capstan shard list',
    data: { shard },
  });
