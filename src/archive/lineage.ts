import type { LineageEntry } from '../domain/shard-log.ts';

/** Who decides: a generation of a shard's owner, a term of its leader. */
export interface Authority {
  readonly generation: number;
  readonly term: number;
}

/** Below 0: `a` is the earlier one. */
export const compareAuthorities = (a: Authority, b: Authority): number =>
  a.generation - b.generation || a.term - b.term;

export const inOrder = (lineage: readonly LineageEntry[]): readonly LineageEntry[] =>
  lineage.toSorted(compareAuthorities);

/** The authority that the lineage gives a position to: the last that began at or before it. Undefined: none. */
export const authorityAt = (lineage: readonly LineageEntry[], position: bigint): LineageEntry | undefined =>
  lineage.findLast((row) => BigInt(row.first_position) <= position);

/** The rows that positions first to last were decided under. */
export function rowsCovering(
  lineage: readonly LineageEntry[],
  { first, last }: { readonly first: bigint; readonly last: bigint },
): readonly LineageEntry[] {
  const from = lineage.findLastIndex((row) => BigInt(row.first_position) <= first);
  return lineage.slice(Math.max(0, from)).filter((row) => BigInt(row.first_position) <= last);
}

export type LineagesCompared =
  /** One is as long as the other goes on: nothing contradicts. */
  | { readonly kind: 'same' }
  /** `theirs` is a beginning of `ours`: whoever says so hasn't heard of the last authority. */
  | { readonly kind: 'behind' }
  /** From `from` on, positions are the later authority's in `theirs`. */
  | { readonly kind: 'newer'; readonly from: bigint; readonly authority: LineageEntry }
  /** They contradict each other, and `ours` is the later one. */
  | { readonly kind: 'older' };

const same = (a: LineageEntry, b: LineageEntry) =>
  compareAuthorities(a, b) === 0 && a.first_position === b.first_position;

/** How another's lineage stands to ours; both in order. */
export function compareLineages(
  ours: readonly LineageEntry[],
  theirs: readonly LineageEntry[],
): LineagesCompared {
  const at = ours.findIndex((row, index) => {
    const other = theirs[index];
    return other === undefined || !same(row, other);
  });
  const index = at === -1 ? ours.length : at;
  const other = theirs[index];
  const own = ours[index];
  if (other === undefined) return { kind: own === undefined ? 'same' : 'behind' };
  if (own === undefined) return { kind: 'newer', from: BigInt(other.first_position), authority: other };
  const [ownLast, otherLast] = [ours.at(-1) ?? own, theirs.at(-1) ?? other];
  if (compareAuthorities(otherLast, ownLast) <= 0) return { kind: 'older' };
  const [a, b] = [BigInt(own.first_position), BigInt(other.first_position)];
  return { kind: 'newer', from: a < b ? a : b, authority: other };
}
