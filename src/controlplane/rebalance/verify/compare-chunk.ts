import type { MoveDifference } from '../../../domain/move-records.ts';
import type { ShardId } from '../../../domain/shard.ts';
import { digestChunk } from '../../../postgres/queries/compare/chunk-digest.ts';
import { digestRange } from '../../../postgres/queries/compare/range-digest.ts';
import { readRange } from '../../../postgres/queries/compare/range-rows.ts';
import type { MovedTable } from '../../../postgres/queries/compare/tables.ts';
import { gapsIn, rowDifferences } from './row-differences.ts';
import type { TwoSides } from './snapshot-pair.ts';

export interface ComparedChunk {
  readonly rows: number;
  readonly later: number;
  /** Where the next chunk begins; null: the table is done. */
  readonly last: readonly string[] | null;
  readonly differences: readonly MoveDifference[];
}

/** Compares the next rows of one table of a shard: by digest, and row by row where the digests differ. Both snapshots are open. */
export async function compareChunk(about: {
  readonly sides: TwoSides;
  readonly shard: ShardId;
  readonly table: MovedTable;
  readonly after: readonly string[] | null;
  /** Other's position. */
  readonly head: string;
  readonly limit: number;
  readonly differencesMax: number;
}): Promise<ComparedChunk> {
  const { sides, shard, table, after, head, limit, differencesMax } = about;
  const chunk = await digestChunk(sides.owner, table, { shard, after, position: head, limit });
  // A short chunk is the table's last one, and so are all rows that other has beyond it.
  const last = chunk.rows + chunk.later < limit ? null : chunk.last;
  const range = { shard, after, upTo: last };
  const twin = await digestRange(sides.other, table, range);
  const end = { rows: chunk.rows, later: chunk.later, last };
  const equal = chunk.rows === twin.rows && chunk.digest === twin.digest;
  const from = BigInt(table.name === 'outbox' ? (after?.[0] ?? '0') : '0');
  const upTo = table.name === 'outbox' ? smaller(BigInt(last?.[0] ?? head), BigInt(head)) : 0n;
  const dense = table.name !== 'outbox' || BigInt(chunk.rows) === larger(upTo - from, 0n);
  if (equal && dense) return { ...end, differences: [] };
  const [owner, other] = await Promise.all([
    readRange(sides.owner, table, range),
    readRange(sides.other, table, range),
  ]);
  return {
    ...end,
    differences: [
      ...rowDifferences({ shard, table, head: BigInt(head) }, { owner, other }),
      ...(dense ? [] : gapsIn({ shard, after: from, upTo, max: differencesMax }, { owner, other })),
    ],
  };
}

const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);
