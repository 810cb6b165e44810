import type { SqlClient } from '../../sql-client.ts';
import type { LogRange } from './changed-rows.ts';
import { MOVED_TABLES, type MovedTable, rowHash } from './tables.ts';

export interface ChangedDigest {
  readonly shard: number;
  readonly table: MovedTable['name'];
  readonly rows: number;
  readonly digest: string;
  /** Changed after the position that is compared. */
  readonly later: number;
}

/** The tables whose rows a log names by key. */
export const LOGGED_TABLES = MOVED_TABLES.filter(({ name }) => name !== 'lineage');

const partOf = (table: MovedTable): string => {
  const key = table.key.map(({ column }) => column);
  return `
select k.shard_id as shard, '${table.name}' as "table",
       (count(*) filter (where r.${table.position} <= k.head))::integer as rows,
       coalesce(sum(${rowHash(table, 'r.')}) filter (where r.${table.position} <= k.head), 0)::text as digest,
       (count(*) filter (where r.${table.position} > k.head))::integer as later
  from (select distinct shard_id, head, ${key.join(', ')} from log) k
  cross join lateral (
    select * from capstan.${table.name} t where t.shard_id = k.shard_id
      and ${key.map((column) => `t.${column} = k.${column}`).join(' and ')} limit 1) r
  group by k.shard_id`;
};

// Each look-up is a subquery of its own, so that no plan, made without statistics, reads a table over for every key.
const STATEMENT = `
with part as (
  select * from unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[]) as p(shard_id, after, upto, head)
), log as materialized (
  select p.head, o.shard_id, o.position, o.issuer_id, o.reservation_token, o.reservation_id
    from part p
    cross join lateral (
      select * from capstan.outbox t
        where t.shard_id = p.shard_id and t.position > p.after and t.position <= p.upto offset 0) o)
${LOGGED_TABLES.map(partOf).join('\nunion all')}`;

/**
 * For parts of several shards' logs at once: digests of the log's own rows and of every row that they name, of those that were
 * last changed by `head`. A shard whose part names nothing in a table has no row in the answer.
 */
export async function digestChanged(
  client: SqlClient,
  parts: readonly (LogRange & { readonly head: string })[],
): Promise<readonly ChangedDigest[]> {
  const { rows } = await client.query<ChangedDigest>(STATEMENT, [
    parts.map(({ shard }) => shard),
    parts.map(({ after }) => after),
    parts.map(({ upTo }) => upTo),
    parts.map(({ head }) => head),
  ]);
  return rows;
}
