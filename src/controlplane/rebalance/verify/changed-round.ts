import type { MoveDifference, Positions } from '../../../domain/move-records.ts';
import type { ShardId } from '../../../domain/shard.ts';
import {
  type ChangedDigest,
  digestChanged,
  LOGGED_TABLES,
} from '../../../postgres/queries/compare/changed-digests.ts';
import { readChanged } from '../../../postgres/queries/compare/changed-rows.ts';
import { readRange } from '../../../postgres/queries/compare/range-rows.ts';
import { MOVED_TABLES, type MovedTable } from '../../../postgres/queries/compare/tables.ts';
import { type LogPart, nextParts } from './log-parts.ts';
import { gapsIn, headDifferences, rowDifferences } from './row-differences.ts';
import type { Heads, TwoSides } from './snapshot-pair.ts';

/** The logs first: where they differ, they name other rows, and what they would say of those is no news. */
const LOG_FIRST = LOGGED_TABLES.toSorted((a, b) => Number(b.name === 'outbox') - Number(a.name === 'outbox'));

export interface Round {
  /** Of the shards of which something was compared. */
  readonly positions: Positions;
  readonly rows: number;
  readonly later: number;
  readonly differences: readonly MoveDifference[];
  /** Everything up to other's positions is compared. */
  readonly last: boolean;
}

export interface RoundOptions {
  readonly sides: TwoSides;
  readonly shards: readonly ShardId[];
  readonly sealed: boolean;
  readonly differencesMax: number;
}

/** Compares as much of what was decided since as one pair of snapshots is held for; both are open. */
export async function compareRound(
  options: RoundOptions,
  heads: { readonly owner: Heads; readonly other: Heads },
  since: Positions,
): Promise<Round> {
  const { sides, shards, differencesMax } = options;
  const { parts, last } = nextParts(shards, heads.other, since);
  const [owner, other] =
    parts.length === 0
      ? [[], []]
      : await Promise.all([digestChanged(sides.owner, parts), digestChanged(sides.other, parts)]);
  const digests = { owner: byName(owner), other: byName(other) };
  const found: MoveDifference[] = [];
  for (const shard of shards) {
    const pair = { owner: heads.owner.get(shard), other: heads.other.get(shard) };
    found.push(...headDifferences(shard, pair));
    if (last && pair.owner?.lineageDigest !== pair.other?.lineageDigest)
      found.push(...(await lineageDifferences(options, shard, pair.other?.position ?? '0')));
  }
  for (const part of parts) {
    if (found.length >= differencesMax) break;
    found.push(...(await partDifferences(options, part, digests)));
  }
  return {
    positions: Object.fromEntries(parts.map(({ shard, upTo }) => [String(shard), upTo])),
    rows: owner.reduce((sum, { rows }) => sum + rows, 0),
    later: owner.reduce((sum, { later }) => sum + later, 0),
    differences: found.slice(0, differencesMax),
    last,
  };
}

type Digests = ReadonlyMap<string, ChangedDigest>;

async function partDifferences(
  { sides, differencesMax }: RoundOptions,
  part: LogPart,
  digests: { readonly owner: Digests; readonly other: Digests },
): Promise<readonly MoveDifference[]> {
  const { shard } = part;
  const [after, upTo] = [BigInt(part.after), BigInt(part.upTo)];
  const found: MoveDifference[] = [];
  for (const table of LOG_FIRST) {
    const [mine, twin] = [digests.owner.get(nameOf(shard, table)), digests.other.get(nameOf(shard, table))];
    const equal = (mine?.rows ?? 0) === (twin?.rows ?? 0) && (mine?.digest ?? '0') === (twin?.digest ?? '0');
    const dense = table.name !== 'outbox' || BigInt(mine?.rows ?? 0) === upTo - after;
    if (equal && dense) continue;
    const [owner, other] = await Promise.all([
      readChanged(sides.owner, table, part),
      readChanged(sides.other, table, part),
    ]);
    const differing = rowDifferences({ shard, table, head: BigInt(part.head) }, { owner, other });
    found.push(...differing);
    if (!dense) found.push(...gapsIn({ shard, after, upTo, max: differencesMax }, { owner, other }));
    if (table.name === 'outbox' && differing.length > 0) break;
  }
  return found;
}

async function lineageDifferences(
  { sides, sealed }: RoundOptions,
  shard: ShardId,
  position: string,
): Promise<readonly MoveDifference[]> {
  const table = MOVED_TABLES.find(({ name }) => name === 'lineage');
  if (table === undefined) throw new Error('lineage moves with a shard');
  const range = { shard, after: null, upTo: null };
  const [owner, other] = await Promise.all([
    readRange(sides.owner, table, range),
    readRange(sides.other, table, range),
  ]);
  // A new authority begins behind the head: without a seal its row may still be on its way.
  const head = BigInt(position) + (sealed ? 1n : 0n);
  return rowDifferences({ shard, table, head }, { owner, other });
}

const nameOf = (shard: ShardId, { name }: Pick<MovedTable, 'name'>): string => `${shard} ${name}`;

const byName = (digests: readonly ChangedDigest[]): Digests =>
  new Map(digests.map((digest) => [nameOf(digest.shard, { name: digest.table }), digest]));
