import type { SqlClient } from '../sql-client.ts';

export interface ShardWeight {
  readonly shard: number;
  readonly position: string;
}

/** What of a Postgres is shared out among its shards. */
export interface ShardWeights {
  readonly shards: readonly ShardWeight[];
  /** Of all tables that move, with their indexes. */
  readonly bytes: string;
  /** Estimates of the statistics; null: none were gathered yet. */
  readonly reservations: string | null;
  readonly exposures: string | null;
}

const STATEMENT = `
select (select coalesce(json_agg(json_build_object('shard', shard_id, 'position', position::text) order by shard_id), '[]')
          from capstan.shard_head) as shards,
       (select sum(pg_total_relation_size(c.oid))::text
          from pg_class c
          where c.relnamespace = 'capstan'::regnamespace and c.relkind = 'r'
            and c.relname in ('shard_head', 'issuer_exposure', 'reservation', 'reservation_token', 'outbox', 'lineage')) as bytes,
       (select nullif(reltuples, -1)::bigint::text from pg_class where oid = 'capstan.reservation'::regclass) as reservations,
       (select nullif(reltuples, -1)::bigint::text from pg_class where oid = 'capstan.issuer_exposure'::regclass) as exposures`;

/** Reads no table but the heads: sizes and estimates come from the catalogue. The role needs SELECT on the tables. */
export async function readShardWeights(client: SqlClient): Promise<ShardWeights> {
  const { rows } = await client.query<ShardWeights>(STATEMENT);
  const [row] = rows;
  if (row === undefined) throw new Error('a query of scalars answered without a row');
  return row;
}
