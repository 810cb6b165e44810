import type { SqlClient } from '../../sql-client.ts';
import { type KeyRange, type MovedTable, rangeCondition, rowHash } from './tables.ts';

export interface RangeDigest {
  readonly rows: number;
  readonly digest: string;
}

/** The digest of all rows of a key range. */
export async function digestRange(
  client: SqlClient,
  table: MovedTable,
  range: KeyRange,
): Promise<RangeDigest> {
  const { where, values } = rangeCondition(table, range);
  const { rows } = await client.query<RangeDigest>(
    `select count(*)::integer as rows, coalesce(sum(${rowHash(table)}), 0)::text as digest
       from capstan.${table.name} where ${where}`,
    [...values],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('an aggregate answered without a row');
  return row;
}
