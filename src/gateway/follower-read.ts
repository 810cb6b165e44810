import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../domain/errors.ts';
import { standingIn } from '../domain/lineage.ts';
import { logCadenceOf, readPolicyOf } from '../domain/reading.ts';
import type { FollowedIssuer, IssuerRequest } from '../reservations/read-issuer.ts';
import { followIssuer } from '../reservations/read-issuer.ts';
import type { GatewayContext } from './context.ts';
import { returnedAs } from './leader-connections.ts';
import { nearFollowers } from './near-followers.ts';
import type { ReadBounds } from './read-bounds.ts';
import type { ShownIssuer } from './shown-issuer.ts';

export type FollowerRead =
  | ShownIssuer
  /** Nobody near reflects the bounds now; `why` for a person. `maybeLost`: by the lineage of one of them, nobody ever will. */
  | { readonly kind: 'behind'; readonly why: string; readonly maybeLost: boolean };

/** Asks the followers of this region for a state within the bounds, and again at each beat for as long as the policy waits. */
export async function readFromFollowers(
  context: GatewayContext,
  shard: number,
  request: IssuerRequest,
  bounds: ReadBounds,
): Promise<FollowerRead> {
  const policy = readPolicyOf(context.contract);
  const waits = (bounds.whenBehind ?? policy.whenBehind) === 'wait';
  const until = performance.now() + (waits ? policy.waitMaxMs : 0);
  for (;;) {
    const read = await askEach(context, shard, request, bounds);
    const leftMs = until - performance.now();
    if (read.kind === 'shown' || read.maybeLost || leftMs <= 0) return read;
    await delay(Math.min(leftMs, logCadenceOf(context.contract).beatEveryMs));
  }
}

async function askEach(
  context: GatewayContext,
  shard: number,
  request: IssuerRequest,
  bounds: ReadBounds,
): Promise<FollowerRead> {
  const { routes, followers, contract, region } = context;
  const route = routes.routeOf(shard);
  if (route === undefined) return behind(`shard ${shard} is not in the map yet`);
  const whys: string[] = [];
  let maybeLost = false;
  for (const { member, soleVoter } of nearFollowers(routes, route, region)) {
    try {
      const connection = await followers.take(route.scope.cluster, member);
      const deadlineMs = Math.ceil(contract.deadlines.readMs / 2);
      const asked = { ...request, soleVoter };
      const result = await followIssuer(connection.client, route.scope, asked, { deadlineMs });
      connection.release(returnedAs(result));
      if (result.kind === 'read') {
        const stalenessMs = stalenessOf(result, request.at, contract.liveness.clockSkewMaxMs);
        const why = whyNot(result, bounds, stalenessMs);
        if (why === undefined) return shown(member, result, stalenessMs, route.scope);
        whys.push(`${member} ${why}`);
        maybeLost ||= why === FOREIGN;
      } else whys.push(`${member}: ${result.message}`);
    } catch (error) {
      whys.push(`${member} can't be asked: ${messageOf(error)}`);
    }
  }
  return behind(whys.length === 0 ? `no member follows in ${region}` : whys.join('; '), maybeLost);
}

const FOREIGN = 'has this position from another authority';

const behind = (why: string, maybeLost = false) => ({ kind: 'behind', why, maybeLost }) as const;

/** Null: it can't be told. The state at an earlier position than the bound is older than the heartbeat says. */
function stalenessOf(read: FollowedIssuer, at: bigint | undefined, skewMs: number): number | null {
  if (read.at === null || (at !== undefined && String(at) !== read.bound)) return null;
  const ageMs = Date.now() - Date.parse(read.at);
  return ageMs < -skewMs ? null : Math.max(0, ageMs);
}

/** Lost, by a follower's lineage, is left to the leader to say. */
function whyNot(read: FollowedIssuer, bounds: ReadBounds, stalenessMs: number | null): string | undefined {
  const { token, at, maxStalenessMs } = bounds;
  for (const bound of [token, at]) {
    if (bound === undefined) continue;
    const { kind } = standingIn(read.lineage, bound);
    if (kind !== 'covered') return kind === 'later' ? 'has not heard of its authority' : FOREIGN;
    if (bound.position > BigInt(read.bound)) return `may be quoted up to ${read.bound}`;
  }
  if (maxStalenessMs === undefined) return undefined;
  if (stalenessMs === null) return 'can’t tell how old its state is';
  return stalenessMs <= maxStalenessMs ? undefined : `is ${stalenessMs} ms old`;
}

const shown = (
  member: string,
  read: FollowedIssuer,
  stalenessMs: number | null,
  { shard, generation, term }: { shard: number; generation: number; term: number },
): ShownIssuer => ({
  kind: 'shown',
  by: 'follower',
  member,
  shard,
  generation,
  term,
  stalenessMs,
  position: BigInt(read.shown_position),
  lineage: read.lineage,
  issuer: read.issuer,
});
