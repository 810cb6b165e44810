import type { SqlClient } from '../sql-client.ts';

export interface MoveLeftovers {
  readonly subscriptions: readonly string[];
  readonly slots: readonly string[];
  readonly publications: readonly string[];
  /** Shards of which any table has rows here. */
  readonly shards: readonly number[];
}

const TABLES = [
  'shard_head',
  'issuer_exposure',
  'reservation',
  'reservation_token',
  'outbox',
  'lineage',
] as const;

const STATEMENT = `
select (select coalesce(json_agg(subname order by subname), '[]') from pg_subscription
          where subname like $1 and subdbid = (select oid from pg_database where datname = current_database())) as subscriptions,
       (select coalesce(json_agg(slot_name order by slot_name), '[]') from pg_replication_slots
          where slot_name like $1 and slot_type = 'logical' and database = current_database()) as slots,
       (select coalesce(json_agg(pubname order by pubname), '[]') from pg_publication where pubname like $1) as publications,
       (select coalesce(json_agg(shard order by shard), '[]') from generate_series(0, $2::integer - 1) as shard
          where ${TABLES.map((table) => `exists (select 1 from capstan.${table} where shard_id = shard)`).join(' or ')}) as shards`;

/** Everything whose name begins so, and the shards that have rows: one look-up by key a shard and table. */
export async function readMoveLeftovers(
  client: SqlClient,
  about: { readonly prefix: string; readonly shardCount: number },
): Promise<MoveLeftovers> {
  const { prefix, shardCount } = about;
  const { rows } = await client.query<MoveLeftovers>(STATEMENT, [
    `${prefix.replaceAll('_', String.raw`\_`)}%`,
    shardCount,
  ]);
  const [row] = rows;
  if (row === undefined) throw new Error('a query of scalars answered without a row');
  return row;
}
