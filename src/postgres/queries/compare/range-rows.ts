import type { SqlClient } from '../../sql-client.ts';
import { type KeyRange, keyColumns, keyTexts, type MovedTable, rangeCondition } from './tables.ts';

/** One row as texts, in the order of its table's columns. */
export interface MovedRow {
  readonly key: readonly string[];
  readonly position: string;
  readonly values: readonly (string | null)[];
}

/** The rows of a key range, in key order. */
export async function readRange(
  client: SqlClient,
  table: MovedTable,
  range: KeyRange,
): Promise<readonly MovedRow[]> {
  const { where, values } = rangeCondition(table, range);
  const { rows } = await client.query<MovedRow>(
    `select ${keyTexts(table)} as key, ${table.position}::text as position,
            array[${table.columns.map((column) => `${column}::text`).join(', ')}] as values
       from capstan.${table.name} where ${where} order by shard_id, ${keyColumns(table)}`,
    [...values],
  );
  return rows;
}
