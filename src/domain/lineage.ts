import type { CommitToken } from './commit-token.ts';
import type { LineageEntry } from './shard-log.ts';

type Authority = Pick<CommitToken, 'generation' | 'term'>;

/**
 * What a lineage says of a commit token:
 * - `covered`: its authority decided its position, if that position is reached at all;
 * - `lost`: that position belongs to a later authority, `to`;
 * - `later`: its authority isn't known here yet.
 */
export type TokenStanding =
  | { readonly kind: 'covered' }
  | { readonly kind: 'lost'; readonly to: LineageEntry }
  | { readonly kind: 'later' };

/** `lineage`: of the token's shard, oldest first. */
export function standingIn(
  lineage: readonly LineageEntry[],
  token: Omit<CommitToken, 'shard'>,
): TokenStanding {
  const to = lineage.find((entry) => isAfter(entry, token) && BigInt(entry.first_position) <= token.position);
  if (to !== undefined) return { kind: 'lost', to };
  const own = lineage.find(({ generation, term }) => generation === token.generation && term === token.term);
  if (own !== undefined)
    return BigInt(own.first_position) <= token.position ? { kind: 'covered' } : { kind: 'lost', to: own };
  const next = lineage.find((entry) => isAfter(entry, token));
  return next === undefined ? { kind: 'later' } : { kind: 'lost', to: next };
}

/** The commit token of a position that is reached; undefined for position 0, which nobody decided. */
export function tokenAt(
  lineage: readonly LineageEntry[],
  { shard, position }: Pick<CommitToken, 'shard' | 'position'>,
): CommitToken | undefined {
  if (position === 0n) return undefined;
  const by = lineage.findLast(({ first_position }) => BigInt(first_position) <= position);
  return by === undefined ? undefined : { shard, position, generation: by.generation, term: by.term };
}

const isAfter = (entry: Authority, token: Authority): boolean =>
  entry.generation === token.generation ? entry.term > token.term : entry.generation > token.generation;
