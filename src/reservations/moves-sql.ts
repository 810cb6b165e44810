import type { Positions } from '../domain/move-records.ts';
import type { ShardId } from '../domain/shard.ts';
import type { SqlClient } from '../postgres/sql-client.ts';

/** What moves with a shard, all keyed by `shard_id` first. Everything else in the schema is local to a cluster. */
export const MOVING_TABLES = [
  'shard_head',
  'issuer_exposure',
  'reservation',
  'reservation_token',
  'outbox',
  'lineage',
] as const;

/** A wipe that was refused: the shard is served here, or another copy has overtaken it. */
export const WIPE_REFUSED = 'CP014';

export interface SealShards {
  readonly cluster: string;
  readonly term: number;
  /** `mapVersion`: of the entries that seal them. */
  readonly shards: readonly {
    readonly shard: ShardId;
    readonly generation: number;
    readonly mapVersion: number;
    readonly handover?: string | undefined;
  }[];
  /** Fresh for each seal; it travels in the head rows. */
  readonly marker: string;
}

/**
 * Seals shards once the batches in flight on them have drained; answers where they stand. Idempotent. Throws pg's error with
 * the fence's SQLSTATE: another cluster, term or generation, or a version of the map before the one seen (CP009, CP001, CP002),
 * a shard that isn't owned here, or isn't whole (CP004), a follower (CP013).
 */
export async function sealShards(
  client: SqlClient,
  { cluster, term, shards, marker }: SealShards,
): Promise<Positions> {
  const given = shards.map(({ shard, generation, mapVersion, handover }) => ({
    shard,
    generation,
    map_version: mapVersion,
    handover,
  }));
  const { rows } = await client.query<{ positions: Positions | null }>(
    'select capstan.seal_shards($1, $2, $3, $4) as positions',
    [cluster, term, JSON.stringify(given), marker],
  );
  return rows[0]?.positions ?? {};
}

export interface WipeShards {
  readonly operation: string;
  readonly attempt: number;
  /** The state of etcd by which the rows may go: none of a later one is undone. */
  readonly revision: string;
  readonly shards: readonly ShardId[];
  /** At most so many go at once, 1 to 100,000. */
  readonly rowsMax: number;
}

/** Deletes a chunk of what is here of shards that are served elsewhere. `left`: counted up to 100,000 a table. Throws `WIPE_REFUSED`. */
export async function wipeShards(
  client: SqlClient,
  { operation, attempt, revision, shards, rowsMax }: WipeShards,
): Promise<{ readonly deleted: number; readonly left: number }> {
  const { rows } = await client.query<{ answer: { deleted: number; left: number } }>(
    'select capstan.wipe_shards($1, $2, $3, $4, $5) as answer',
    [operation, attempt, revision, [...shards], rowsMax],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('a function answered without a row');
  return row.answer;
}
