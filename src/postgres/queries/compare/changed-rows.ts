import type { SqlClient } from '../../sql-client.ts';
import type { MovedRow } from './range-rows.ts';
import type { MovedTable } from './tables.ts';

/** The part of a shard's log that is looked at: after one position up to another. */
export interface LogRange {
  readonly shard: number;
  readonly after: string;
  readonly upTo: string;
}

/** The rows of a table that a part of a shard's log names, in key order. */
export async function readChanged(
  client: SqlClient,
  table: MovedTable,
  { shard, after, upTo }: LogRange,
): Promise<readonly MovedRow[]> {
  const key = table.key.map(({ column }) => column);
  const { rows } = await client.query<MovedRow>(
    `
with log as materialized (
  select distinct ${key.join(', ')} from capstan.outbox
    where shard_id = $1::integer and position > $2::bigint and position <= $3::bigint)
select array[${key.map((column) => `r.${column}::text`).join(', ')}] as key, r.${table.position}::text as position,
       array[${table.columns.map((column) => `r.${column}::text`).join(', ')}] as values
  from log l
  cross join lateral (
    select * from capstan.${table.name} t where t.shard_id = $1::integer
      and ${key.map((column) => `t.${column} = l.${column}`).join(' and ')} limit 1) r
  order by ${key.map((column) => `r.${column}`).join(', ')}`,
    [shard, after, upTo],
  );
  return rows;
}
