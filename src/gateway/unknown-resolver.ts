import { setTimeout as delay } from 'node:timers/promises';
import { resolveToken } from '../reservations/client.ts';
import type { Command, Resolved } from '../reservations/types.ts';
import type { Answer } from './answer.ts';
import { returnedAs, type LeaderConnection, type LeaderConnections } from './leader-connections.ts';
import type { RouteTable, ShardRoute } from './route-table.ts';
import type { Ticket } from './ticket.ts';

const ASK_AGAIN_AFTER_MS = 50;
/** With less left than this, an answer can't come back in time. */
const WORTH_ASKING_MS = 10;

/**
 * Finds out what became of commands whose reply was lost, by their tokens, through whoever is the authority by now. It
 * never sends a command again, and "not found" settles nothing: the lost one may still be in flight. What isn't found
 * out by the caller's deadline stays `unknown`.
 */
export class UnknownResolver {
  readonly #routes: RouteTable;
  readonly #connections: LeaderConnections;

  constructor(routes: RouteTable, connections: LeaderConnections) {
    this.#routes = routes;
    this.#connections = connections;
  }

  /** Settles the ticket when it learns the outcome. Never throws. */
  readonly resolve = (shard: number, ticket: Ticket<Command, Answer>): void => {
    void this.#pursue(shard, ticket);
  };

  async #pursue(shard: number, ticket: Ticket<Command, Answer>): Promise<void> {
    while (!ticket.settled && ticket.deadlineAt - performance.now() > WORTH_ASKING_MS) {
      const route = this.#routes.routeOf(shard);
      const connection = route === undefined ? undefined : await this.#take(route);
      if (route === undefined || connection === undefined) {
        await this.#routes.changed(shard, route, ASK_AGAIN_AFTER_MS);
        continue;
      }
      const { issuer, token } = ticket.command;
      const deadlineMs = Math.max(1, Math.floor(ticket.deadlineAt - performance.now()));
      const result = await resolveToken(connection.client, route.scope, { issuer, token }, { deadlineMs });
      connection.release(returnedAs(result));
      const answer = result.kind === 'resolved' ? answerOf(ticket.command, result) : undefined;
      if (answer !== undefined) ticket.settle(answer);
      else await delay(ASK_AGAIN_AFTER_MS);
    }
  }

  async #take({ scope, leader }: ShardRoute): Promise<LeaderConnection | undefined> {
    if (leader === null) return undefined;
    try {
      return await this.#connections.take(scope.cluster, leader, 'resolve');
    } catch {
      return undefined;
    }
  }
}

/** The token's outcome is this command's only if the token is bound to the same content. */
function answerOf(command: Command, resolved: Resolved): Answer | undefined {
  const { outcome, hash } = resolved;
  if (outcome === null) return undefined;
  const bound = command.kind === 'settle' || hash === null || hash === command.hash;
  return { kind: 'decided', result: bound ? outcome : { refused: 'token_reused' }, facts: resolved };
}
