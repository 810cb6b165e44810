import type { LostDecision } from '../domain/loss-records.ts';
import { decide } from '../reservations/client.ts';
import { type Command, isRefusedCommand } from '../reservations/types.ts';
import { commitTokenOf, judge } from './answer.ts';
import { returnedAs } from './leader-connections.ts';
import { commitTokenOfLost } from './lost-outcome.ts';
import type { TokenResolutionOptions } from './token-types.ts';

/** What became of one lost decision that was sent again under its own token. */
export interface Replayed {
  readonly token: string;
  readonly issuer: string;
  readonly was: { readonly outcome: string; readonly commitToken: string };
  /** `refused`: provably without effect; `unknown`: run it again. */
  readonly now: 'confirmed' | 'rejected' | 'abandoned' | 'refused' | 'unknown';
  readonly commitToken: string | null;
  /** The token had this outcome before it was sent here; false too when an earlier sending of this call may have made it. */
  readonly replayed: boolean;
  readonly reason: string | null;
}

const ASK_AGAIN_AFTER_MS = 100;

/**
 * Sends a lost decision again, as its desk's, under its own token, through its shard's present authority. It may be repeated: a
 * token that was decided meanwhile answers with its outcome. So a reply that says nothing is asked for again by sending it once
 * more, until `deadlineMs` have passed. Never throws for what it can't learn.
 */
export async function replayLost(
  asking: Pick<TokenResolutionOptions, 'routes' | 'take'>,
  entry: LostDecision,
  deadlineMs: number,
): Promise<Replayed> {
  const { routes, take } = asking;
  const command = commandOf(entry);
  if (command === undefined)
    return outcome(entry, { now: 'refused', reason: 'the report lacks its content' });
  const until = performance.now() + deadlineMs;
  let reason = 'the deadline passed';
  // Once one sending may have had an effect, no later refusal proves that there is none: it may still be in flight.
  let unsettled = false;
  const withoutOutcome = (why: string) =>
    outcome(entry, { now: unsettled ? 'unknown' : 'refused', reason: why });
  while (performance.now() < until) {
    const shard = routes.shardOf(entry.issuer);
    const route = shard === undefined ? undefined : routes.routeOf(shard);
    if (shard === undefined || route === undefined) return withoutOutcome('the estate is not known');
    const { scope, leader, absent } = route;
    if (leader === null) {
      reason = absent ?? 'there is no leader';
    } else {
      const connection = await take(scope.cluster, leader).catch(() => undefined);
      if (connection === undefined) {
        reason = `${leader} can't be reached`;
      } else {
        const left = Math.max(1, Math.floor(until - performance.now()));
        const result = await decide(connection.client, scope, [command], { deadlineMs: left });
        connection.release(returnedAs(result));
        if (result.kind === 'decided') {
          const [decided] = result.outcomes;
          if (decided === undefined || isRefusedCommand(decided))
            return withoutOutcome(decided?.refused ?? 'no outcome');
          const commitToken = commitTokenOf(shard, decided);
          const replayed = decided.replayed && !unsettled;
          return outcome(entry, { now: decided.outcome, commitToken, replayed, reason: decided.reason });
        }
        reason = result.message;
        if (result.kind === 'unknown') unsettled = true;
        else if (judge(result).again === 'no') break;
      }
    }
    await routes.changed(shard, route, Math.min(ASK_AGAIN_AFTER_MS, Math.max(0, until - performance.now())));
  }
  return withoutOutcome(reason);
}

const outcome = (entry: LostDecision, parts: Partial<Replayed> & Pick<Replayed, 'now'>): Replayed => ({
  token: entry.token,
  issuer: entry.issuer,
  was: { outcome: entry.outcome, commitToken: commitTokenOfLost(entry) },
  commitToken: null,
  replayed: false,
  reason: null,
  ...parts,
});

/** The command as it was sent: its hash is the stored one, so that the client's own retry finds the same token. */
export function commandOf(entry: LostDecision): Command | undefined {
  const { issuer, token, desk, hash, reservation, amount, reason } = entry;
  const bound = { issuer, token, desk };
  if (entry.command === 'settle') return { kind: 'settle', ...bound };
  if (hash === null) return undefined;
  switch (entry.command) {
    case 'reserve':
      return reservation === null || amount === null
        ? undefined
        : { kind: 'reserve', ...bound, hash, reservation, notional: amount };
    case 'release':
      return reservation === null ? undefined : { kind: 'release', ...bound, hash, reservation };
    case 'set-limit':
      return amount === null ? undefined : { kind: 'set-limit', ...bound, hash, limit: amount };
    case 'correct':
      return amount === null || reason === null
        ? undefined
        : { kind: 'correct', ...bound, hash, limit: amount, reason };
    default:
      return undefined;
  }
}
