import type { MoveDifference } from '../../../domain/move-records.ts';
import type { HeadFacts } from '../../../postgres/queries/compare/head-facts.ts';
import type { MovedRow } from '../../../postgres/queries/compare/range-rows.ts';
import type { MovedTable } from '../../../postgres/queries/compare/tables.ts';

interface Rows {
  readonly owner: readonly MovedRow[];
  readonly other: readonly MovedRow[];
}

/**
 * What differs between the rows of both sides. `head`: other's position in its snapshot; a row that owner changed after it isn't
 * compared, unless other claims to be as far.
 */
export function rowDifferences(
  about: { readonly shard: number; readonly table: MovedTable; readonly head: bigint },
  { owner, other }: Rows,
): readonly MoveDifference[] {
  const { shard, table, head } = about;
  const left = new Map(other.map((row) => [keyOf(row), row]));
  const found: MoveDifference[] = [];
  for (const row of owner) {
    const twin = left.get(keyOf(row));
    left.delete(keyOf(row));
    if (BigInt(row.position) > head) continue;
    if (twin === undefined)
      found.push({ shard, table: table.name, key: row.key, column: null, owner: asText(row), other: null });
    else found.push(...columnDifferences({ shard, table, owner: row, other: twin }));
  }
  for (const row of left.values())
    found.push({ shard, table: table.name, key: row.key, column: null, owner: null, other: asText(row) });
  return found;
}

function columnDifferences(about: {
  readonly shard: number;
  readonly table: MovedTable;
  readonly owner: MovedRow;
  readonly other: MovedRow;
}): readonly MoveDifference[] {
  const { shard, table, owner, other } = about;
  return table.columns
    .map((column, index) => ({
      shard,
      table: table.name,
      key: owner.key,
      column,
      owner: owner.values[index] ?? null,
      other: other.values[index] ?? null,
    }))
    .filter((pair) => pair.owner !== pair.other);
}

/** Positions of a log's part that neither side has a row for. At most `max`. */
export function gapsIn(
  about: { readonly shard: number; readonly after: bigint; readonly upTo: bigint; readonly max: number },
  { owner, other }: Rows,
): readonly MoveDifference[] {
  const { shard, after, upTo, max } = about;
  const held = new Set([...owner, ...other].map(({ key }) => key[0]));
  const gaps: MoveDifference[] = [];
  for (let position = after + 1n; position <= upTo && gaps.length < max; position += 1n) {
    if (held.has(String(position))) continue;
    gaps.push({ shard, table: 'outbox', key: [String(position)], column: null, owner: null, other: null });
  }
  return gaps;
}

/**
 * Each side's head says what its log's last row says; at equal positions both heads are equal. A log that misses that row is
 * found by comparing logs, and not here.
 */
export function headDifferences(
  shard: number,
  { owner, other }: { readonly owner: HeadFacts | undefined; readonly other: HeadFacts | undefined },
): readonly MoveDifference[] {
  const base = { shard, table: 'shard_head', key: [] };
  if (owner === undefined || other === undefined) {
    if (owner === other) return [];
    return [{ ...base, column: null, owner: owner?.position ?? null, other: other?.position ?? null }];
  }
  const expected = owner.position === other.position ? owner : other.decided;
  if (expected === null) return [];
  return (['generation', 'term'] as const)
    .filter((column) => expected[column] !== other[column])
    .map((column) => ({
      ...base,
      column,
      owner: String(expected[column]),
      other: String(other[column]),
    }));
}

const keyOf = ({ key }: MovedRow): string => JSON.stringify(key);

const asText = ({ values }: MovedRow): string => JSON.stringify(values);
