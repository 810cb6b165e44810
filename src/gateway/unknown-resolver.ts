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
 * Finds out what became of commands whose reply was lost, by their tokens, through whoever is the authority by now. "Not
 * found" settles nothing under the term that it was sent under: the lost one may still be in flight. Under a later term of the
 * same cluster it can't be: the fence refuses the old term, and the log that goes on is without it; nor under a later generation. Then it is sent again,
 * under the same token; not where decisions of that term may have been lost: that is the loss report's to say. What isn't
 * found out by the caller's deadline stays `unknown`.
 */
export class UnknownResolver {
  readonly #routes: RouteTable;
  readonly #connections: LeaderConnections;
  readonly #sendAgain: (shard: number, ticket: Ticket<Command, Answer>) => void;

  constructor(options: {
    readonly routes: RouteTable;
    readonly connections: LeaderConnections;
    readonly sendAgain: (shard: number, ticket: Ticket<Command, Answer>) => void;
  }) {
    this.#routes = options.routes;
    this.#connections = options.connections;
    this.#sendAgain = options.sendAgain;
  }

  /** Settles the ticket when it learns the outcome, or has it sent again. Never throws. */
  readonly resolve = (sentBy: ShardRoute, ticket: Ticket<Command, Answer>): void => {
    void this.#pursue(sentBy, ticket);
  };

  async #pursue(sentBy: ShardRoute, ticket: Ticket<Command, Answer>): Promise<void> {
    const { shard } = sentBy.scope;
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
      if (answer !== undefined) {
        ticket.settle(answer);
      } else if (result.kind === 'resolved' && this.#isGone(sentBy, route)) {
        if (ticket.settled) return;
        ticket.markUnsent();
        this.#sendAgain(shard, ticket);
        return;
      } else {
        await delay(ASK_AGAIN_AFTER_MS);
      }
    }
  }

  /** Whether what was sent by the one route and isn't found by the other can't come any more, and was never decided. */
  #isGone({ scope: sent }: ShardRoute, { scope: asked }: ShardRoute): boolean {
    const { cluster, generation, term, shard } = sent;
    const later =
      asked.generation === generation
        ? asked.cluster === cluster && asked.term > term
        : // A shard is sealed before it moves: its owner's last batch had ended, and what it decided came along.
          asked.generation > generation;
    return later && !this.#mayBeLost({ cluster, term, shard });
  }

  /** Whether a failover may have lost what was decided there and then: of that cluster, or of one that had the shard since. */
  #mayBeLost({ cluster, term, shard }: Pick<ShardRoute['scope'], 'cluster' | 'term' | 'shard'>): boolean {
    for (const [name, { losses }] of this.#routes.view.clusters)
      for (const { value } of losses.values()) {
        const concerns = name === cluster ? value.formerTerm >= term : String(shard) in value.positions;
        if (concerns) return true;
      }
    return false;
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
