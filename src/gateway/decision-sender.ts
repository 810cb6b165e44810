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
  readonly resolve: (sentBy: ShardRoute, ticket: Ticket<Command, Answer>) => void;
  /** When a leader that had no grant for it is worth asking again. */
  readonly granted: (route: ShardRoute) => Promise<void>;
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
  readonly send = async (shard: number, batch: Batch): Promise<SendResult> => {
    try {
      return await this.#send(shard, batch);
    } catch (error) {
      this.#options.logger.error({ shard, reason: messageOf(error) }, 'a batch failed in the gateway itself');
      const route = this.#options.routes.routeOf(shard);
      if (route !== undefined) this.#resolveSent(route, batch);
      return { kind: 'done' };
    }
  };

  async #send(shard: number, batch: Batch): Promise<SendResult> {
    const { routes, connections } = this.#options;
    const route = routes.routeOf(shard);
    if (route === undefined) return refuse(batch, 'estate_unknown', `shard ${shard} is not in the map yet`);
    if (route.leader === null) {
      const detail = route.absent ?? 'there is no leader';
      if (!route.changing) return refuse(batch, 'no_authority', detail);
      return this.#again(route, batch, refusedAnswer('no_authority', detail));
    }
    let connection: LeaderConnection;
    try {
      connection = await connections.take(route.scope.cluster, route.leader, 'decide');
    } catch (error) {
      const detail = `${route.leader} can't be reached: ${messageOf(error)}`;
      return this.#again(route, batch, refusedAnswer('leader_unreachable', detail));
    }
    // Getting a connection takes time: who was answered meanwhile was told that nothing was sent.
    const waiting = batch.filter((ticket) => !ticket.settled);
    if (waiting.length === 0) {
      connection.release('usable');
      return { kind: 'done' };
    }
    for (const ticket of waiting) ticket.markSent();
    return this.#decide(route, connection, waiting);
  }

  async #decide(route: ShardRoute, connection: LeaderConnection, batch: Batch): Promise<SendResult> {
    const { metrics, decisionMs } = this.#options;
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
        this.#resolveSent(route, batch);
        return { kind: 'done' };
      case 'refused': {
        if (result.reason === 'badCommand' && batch.length > 1) return this.#oneByOne(shard, batch);
        const { code, again, withinMs = TRY_AGAIN_AFTER_MS } = judge(result);
        if (again === 'no') return refuse(batch, code, result.message);
        const answer = refusedAnswer(code, result.message);
        if (again === 'on-change')
          return this.#again(route, batch, answer, this.#options.routes.changed(shard, route, withinMs));
        if (again === 'on-grant') return this.#again(route, batch, answer, this.#options.granted(route));
        for (const ticket of batch) ticket.markUnsent(answer);
        return { kind: 'again', when: Promise.resolve() };
      }
      default:
        return assertNever(result);
    }
  }

  /** After a refusal for one command of several, so that it fails alone. */
  async #oneByOne(shard: number, batch: Batch): Promise<SendResult> {
    for (const ticket of batch) ticket.markUnsent();
    for (const ticket of batch) {
      if (ticket.settled) continue;
      const result = await this.#send(shard, [ticket]);
      if (result.kind === 'again') return result;
    }
    return { kind: 'done' };
  }

  /** `answer`: what callers are told whose deadline passes before it is sent again. */
  #again(
    route: ShardRoute,
    batch: Batch,
    answer: Answer,
    when = this.#options.routes.changed(route.scope.shard, route, TRY_AGAIN_AFTER_MS),
  ): SendResult {
    for (const ticket of batch) ticket.markUnsent(answer);
    return { kind: 'again', when };
  }

  #resolveSent(sentBy: ShardRoute, batch: Batch): void {
    for (const ticket of batch) {
      if (!ticket.settled && ticket.progress === 'sent') this.#options.resolve(sentBy, ticket);
    }
  }
}

function refuse(batch: Batch, ...[code, detail]: Parameters<typeof refusedAnswer>): SendResult {
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
