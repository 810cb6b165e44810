import type { IssuerRequest } from '../reservations/read-issuer.ts';
import type { GatewayContext } from './context.ts';
import { readFromFollowers } from './follower-read.ts';
import { readFromLeader } from './leader-read.ts';
import { ProblemError, type ProblemCode } from './problem.ts';
import { isBounded, type ReadBounds } from './read-bounds.ts';
import type { ShownIssuer } from './shown-issuer.ts';

/** Said of the token or the page itself: nobody else would answer otherwise. */
const FINAL: readonly ProblemCode[] = [
  'commit_token_lost',
  'commit_token_unknown',
  'page_expired',
  'estate_unknown',
];

/**
 * An issuer within bounds: from a follower in this region, else by policy from the leader; without bounds from the leader. A
 * bound that nobody meets is a problem, never an older answer.
 */
export async function readIssuerWithin(
  context: GatewayContext,
  shard: number,
  request: IssuerRequest,
  bounds: ReadBounds,
): Promise<ShownIssuer | ProblemError> {
  const found = await read(context, shard, request, bounds);
  if (found instanceof ProblemError) context.metrics.read('nobody', found.code);
  else context.metrics.read(found.by, 'shown');
  return found;
}

async function read(
  context: GatewayContext,
  shard: number,
  request: IssuerRequest,
  bounds: ReadBounds,
): Promise<ShownIssuer | ProblemError> {
  if (!isBounded(bounds)) return readFromLeader(context, shard, request, bounds);
  const near = await readFromFollowers(context, shard, request, bounds);
  if (near.kind === 'shown') return near;
  context.metrics.read('follower', 'behind');
  // What is lost only the leader says, with the failover.
  if (bounds.whenBehind === 'fail' && !near.maybeLost) return unmet(bounds, near.why);
  const found = await readFromLeader(context, shard, request, bounds);
  if (!(found instanceof ProblemError) || FINAL.includes(found.code)) return found;
  return unmet(bounds, `${near.why}; the leader: ${found.details.detail} (${found.code})`);
}

const unmet = ({ maxStalenessMs }: ReadBounds, detail: string): ProblemError =>
  new ProblemError(maxStalenessMs === undefined ? 'commit_token_behind' : 'staleness_bound_unmet', {
    detail,
  });
