import { createHash } from 'node:crypto';

/** A shard's number: 0 .. shardCount - 1. */
export type ShardId = number;

/** The number of shards of a new estate, unless `capstan init --shards` says otherwise. It never changes later. */
export const DEFAULT_SHARD_COUNT = 480;

/**
 * The shard that owns an issuer: the first four bytes of SHA-256 of the issuer's UTF-8 name, big-endian,
 * modulo the estate's shard count. `MUNI-77` is shard 184 of 480.
 */
export function shardOf(issuerId: string, shardCount: number): ShardId {
  return createHash('sha256').update(issuerId, 'utf8').digest().readUInt32BE(0) % shardCount;
}
