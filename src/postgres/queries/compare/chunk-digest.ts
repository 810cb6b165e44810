import type { SqlClient } from '../../sql-client.ts';
import { type KeyRange, keyColumns, keyTexts, type MovedTable, rangeCondition, rowHash } from './tables.ts';

export interface ChunkDigest {
  /** At or below the position that is compared. */
  readonly rows: number;
  readonly digest: string;
  /** Changed after it. */
  readonly later: number;
  /** The last key of the chunk; null: it holds nothing. */
  readonly last: readonly string[] | null;
}

/** The next rows of a shard's table in key order, at most `limit`: the digest of those that were last changed by `position`. */
export async function digestChunk(
  client: SqlClient,
  table: MovedTable,
  about: Omit<KeyRange, 'upTo'> & { readonly position: string; readonly limit: number },
): Promise<ChunkDigest> {
  const { where, values } = rangeCondition(table, { ...about, upTo: null });
  const statement = `
with chunk as materialized (
  select ${keyColumns(table)}, ${table.position} <= $${values.length + 1}::bigint as settled, ${rowHash(table)} as hash
    from capstan.${table.name}
    where ${where}
    order by shard_id, ${keyColumns(table)} limit $${values.length + 2}::integer)
select (count(*) filter (where settled))::integer as rows,
       coalesce(sum(hash) filter (where settled), 0)::text as digest,
       (count(*) filter (where not settled))::integer as later,
       (select ${keyTexts(table)} from chunk
          order by ${table.key.map(({ column }) => `${column} desc`).join(', ')} limit 1) as last
  from chunk`;
  const { rows } = await client.query<ChunkDigest>(statement, [...values, about.position, about.limit]);
  const [row] = rows;
  if (row === undefined) throw new Error('an aggregate answered without a row');
  return row;
}
