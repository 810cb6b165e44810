import type { Logger } from 'pino';
import { assertNever, messageOf } from '../domain/errors.ts';
import { decide } from '../reservations/client.ts';
import type { Command, Decided } from '../reservations/types.ts';
import { judge, refusedAnswer, type Answer } from './answer.ts';
import type { SendResult } from './sending.ts';
import { returnedAs, type LeaderConnection, type LeaderConnections } from './leader-connections.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { RouteTable, ShardRoute } from './route-table.ts';
import type { Ticket } from './ticket.ts';

/** How long a stale route is believed before it is tried again: Postgres can be behind etcd too. */
const TRY_AGAIN_AFTER_MS = 100;

type Batch = readonly Ticket<Command, Answer>[];

export interface DecisionSenderOptions {
  readonly routes: RouteTable;
  readonly connections: LeaderConnections;
  readonly metrics: GatewayMetrics;
  readonly logger: Logger;
  readonly decisionMs: number;
  /** Finds out what became of a command that was sent, in what is left of its deadline. */
  readonly resolve: (shard: number, ticket: Ticket<Command, Answer>) => void;
}

/**
 * Takes a shard's batch to its authority and settles each command by what comes back. Commands of a batch without effect
 * go back to their lane when another route may serve them; commands of unknown effect are resolved, never resent.
 */
export class DecisionSender {
  readonly #options: DecisionSenderOptions;

  constructor(options: DecisionSenderOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  readonly send = async (shard: number, batch: Batch): Promise<SendResult<Answer>> => {
    try {
      return await this.#send(shard, batch);
    } catch (error) {
      this.#options.logger.error({ shard, reason: messageOf(error) }, 'a batch failed in the gateway itself');
      for (const ticket of batch) this.#options.resolve(shard, ticket);
      return { kind: 'done' };
    }
  };

  async #send(shard: number, batch: Batch): Promise<SendResult<Answer>> {
    const { routes, connections } = this.#options;
    const route = routes.routeOf(shard);
    if (route === undefined) return refuse(batch, 'estate_unknown', `shard ${shard} is not in the map yet`);
    if (route.leader === null) return refuse(batch, 'no_authority', route.absent ?? 'there is no leader');
    let connection: LeaderConnection;
    try {
      connection = await connections.take(route.scope.cluster, route.leader, 'decide');
    } catch (error) {
      const detail = `${route.leader} can't be reached: ${messageOf(error)}`;
      return this.#again(route, refusedAnswer('leader_unreachable', detail));
    }
    return this.#decide(route, connection, batch);
  }

  async #decide(route: ShardRoute, connection: LeaderConnection, batch: Batch): Promise<SendResult<Answer>> {
    const { metrics, resolve, decisionMs } = this.#options;
    const { shard } = route.scope;
    const result = await decide(
      connection.client,
      route.scope,
      batch.map((ticket) => ticket.command),
      // Callers are answered at their own deadlines. The batch is heard out for longer: while its commit waits for the
      // follower, dropping the connection would only leave a backend behind and start another one.
      { deadlineMs: decisionMs * 8 },
    );
    connection.release(returnedAs(result));
    metrics.batch(result.kind, batch.length);
    switch (result.kind) {
      case 'decided':
        settleEach(batch, result);
        return { kind: 'done' };
      case 'unknown':
        this.#options.logger.warn({ shard, why: result.why, reason: result.message }, 'a batch is unknown');
        for (const ticket of batch) if (!ticket.settled) resolve(shard, ticket);
        return { kind: 'done' };
      case 'refused': {
        const { code, again } = judge(result);
        if (again === 'no') return refuse(batch, code, result.message);
        const answer = refusedAnswer(code, result.message);
        return again === 'at-once'
          ? { kind: 'again', when: Promise.resolve(), answer }
          : this.#again(route, answer);
      }
      default:
        return assertNever(result);
    }
  }

  #again(route: ShardRoute, answer: Answer): SendResult<Answer> {
    const when = this.#options.routes.changed(route.scope.shard, route, TRY_AGAIN_AFTER_MS);
    return { kind: 'again', when, answer };
  }
}

function refuse(batch: Batch, ...[code, detail]: Parameters<typeof refusedAnswer>): SendResult<Answer> {
  const answer = refusedAnswer(code, detail);
  for (const ticket of batch) ticket.settle(answer);
  return { kind: 'done' };
}

function settleEach(batch: Batch, facts: Decided): void {
  batch.forEach((ticket, index) => {
    const result = facts.outcomes[index];
    // Fewer outcomes than commands would be a fault of the function; the deadline then answers `unknown`.
    if (result !== undefined) ticket.settle({ kind: 'decided', result, facts });
  });
}
