import type { Client } from 'pg';
import type { EstateSnapshot } from '../controlplane/estate-snapshot.ts';
import { refusedError } from '../domain/errors.ts';
import type { ShardId } from '../domain/shard.ts';
import { ETCD_ERRORS } from './error-groups.ts';
import type { ErrorCode } from './error-catalog.ts';
import type { Estate } from './estate.ts';

/** What every command can meet that looks into the projections. */
export const PROJECTION_ERRORS: readonly ErrorCode[] = [
  ...ETCD_ERRORS,
  'projections_missing',
  'postgres_unreachable',
];

const LIMITS = { connectTimeoutMs: 3_000, statementTimeoutMs: 20_000, lockTimeoutMs: 5_000 };

/** Runs `use` with a connection to the projections: the reader's, or the projector's for what changes something. */
export async function withProjectionsOf<T>(
  { config, region }: Pick<Estate, 'config' | 'region'>,
  role: 'projector' | 'projections_reader',
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const { withProjections } = await import('../projections/with-client.ts');
  return withProjections({ config, region, role, applicationName: 'capstan', ...LIMITS }, use);
}

/** The shards that were named, or all. Throws CapstanError `shard_missing` (exit 4). */
export function namedShards(
  snapshot: EstateSnapshot,
  named: readonly ShardId[] | undefined,
): readonly ShardId[] {
  const all = [...snapshot.shards.keys()].toSorted((one, other) => one - other);
  if (named === undefined) return all;
  const missing = named.filter((shard) => !snapshot.shards.has(shard));
  if (missing.length > 0) {
    throw refusedError(`there is no shard ${missing.join(', ')}`, {
      code: 'shard_missing',
      next: `shards: 0 to ${snapshot.estate.value.shardCount - 1}`,
      data: { shards: missing },
    });
  }
  return [...new Set(named)].toSorted((one, other) => one - other);
}
