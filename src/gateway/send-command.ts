import { decide } from '../reservations/client.ts';
import { type Command, isRefusedCommand } from '../reservations/types.ts';
import { commitTokenOf, judge } from './answer.ts';
import { returnedAs } from './leader-connections.ts';
import type { TokenResolutionOptions } from './token-types.ts';

const ASK_AGAIN_AFTER_MS = 100;

/** What became of one command. */
export interface SentCommand {
  /** `refused`: provably without effect; `unknown`: send it again under the same token. */
  readonly now: 'confirmed' | 'rejected' | 'abandoned' | 'refused' | 'unknown';
  readonly commitToken: string | null;
  /** The token had this outcome before it was sent here; false too when an earlier sending of this call may have made it. */
  readonly replayed: boolean;
  readonly reason: string | null;
}

/**
 * Sends one command to its shard's present authority. A reply that says nothing is asked for again by sending it once more under its
 * token, until `deadlineMs` have passed. Never throws for what it can't learn.
 */
export async function sendCommand(
  { routes, take }: Pick<TokenResolutionOptions, 'routes' | 'take'>,
  command: Command,
  deadlineMs: number,
): Promise<SentCommand> {
  const { issuer } = command;
  const until = performance.now() + deadlineMs;
  let reason = 'the deadline passed';
  // Once one sending may have had an effect, no later refusal proves that there is none: it may still be in flight.
  let unsettled = false;
  const withoutOutcome = (why: string): SentCommand => ({
    now: unsettled ? 'unknown' : 'refused',
    commitToken: null,
    replayed: false,
    reason: why,
  });
  while (performance.now() < until) {
    const shard = routes.shardOf(issuer);
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
          return {
            now: decided.outcome,
            commitToken: commitTokenOf(shard, decided),
            replayed: decided.replayed && !unsettled,
            reason: decided.reason,
          };
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
