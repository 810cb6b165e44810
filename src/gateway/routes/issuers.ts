import type { FastifyInstance, FastifyReply } from 'fastify';
import { formatAmount } from '../../domain/money.ts';
import type { IssuerRead, ReadIssuerResult } from '../../reservations/types.ts';
import { readIssuer, type ReadIssuerRequest } from '../../reservations/client.ts';
import { demandIdentity } from '../access.ts';
import { judge } from '../answer.ts';
import { validated } from '../cold-requests.ts';
import type { GatewayContext } from '../context.ts';
import { returnedAs } from '../leader-connections.ts';
import { ProblemError } from '../problem.ts';
import { sendJson, sendProblem } from '../replier.ts';
import { headersOfFacts, headersOfRoute } from '../reply-headers.ts';
import { openReservationsQuery, pathId } from '../schemas.ts';

interface ById {
  Params: { id: string };
}
const ASK_AGAIN_AFTER_MS = 50;

/** Reads of the leader: shown only once the recorded followers hold what is shown. */
export function registerIssuers(app: FastifyInstance, context: GatewayContext): void {
  app.get<ById>('/issuers/:id', async (request, reply) => {
    demandIdentity(request, context.keys());
    const issuer = validated(pathId, request.params.id, 'issuer_id');
    return read(context, reply, { issuer }, (found) => issuerDocument(issuer, found));
  });

  app.get<ById>('/issuers/:id/open-reservations', async (request, reply) => {
    demandIdentity(request, context.keys());
    const issuer = validated(pathId, request.params.id, 'issuer_id');
    const { after, limit } = validated(openReservationsQuery, request.query);
    const open = after === undefined ? { limit } : { after, limit };
    return read(context, reply, { issuer, open }, (found) => openDocument(issuer, found));
  });
}

async function read(
  context: GatewayContext,
  reply: FastifyReply,
  request: ReadIssuerRequest,
  document: (found: IssuerRead) => unknown,
): Promise<FastifyReply> {
  const { routes } = context;
  const shard = routes.shardOf(request.issuer);
  if (shard === undefined) {
    throw new ProblemError('estate_unknown', { detail: 'this gateway has not learned of an estate yet' });
  }
  const found = await readFromLeader(context, shard, request);
  if (found instanceof ProblemError) {
    return sendProblem(reply, found.code, found.details, headersOfRoute(routes, shard));
  }
  const headers = headersOfFacts(routes, found);
  if (!found.found) {
    const detail = `issuer ${request.issuer} has no limit: an operator has to set one`;
    return sendProblem(reply, 'issuer_not_found', { detail, field: 'issuer_id' }, headers);
  }
  return sendJson(reply, 200, document(found), { ...headers, 'capstan-member': found.leader });
}

async function readFromLeader(
  { routes, connections, contract }: GatewayContext,
  shard: number,
  request: ReadIssuerRequest,
): Promise<IssuerRead | ProblemError> {
  const until = performance.now() + contract.deadlines.readMs;
  let last = new ProblemError('outcome_unknown', { detail: 'the deadline passed' });
  while (performance.now() < until) {
    const route = routes.routeOf(shard);
    if (route === undefined) return problem('estate_unknown', `shard ${shard} is not in the map yet`);
    if (route.leader === null) {
      last = problem('no_authority', route.absent ?? 'there is no leader');
      if (!route.changing) return last;
      await routes.changed(shard, route, Math.max(0, until - performance.now()));
      continue;
    }
    try {
      const connection = await connections.take(route.scope.cluster, route.leader, 'read');
      const deadlineMs = Math.max(1, Math.floor(until - performance.now()));
      const result = await readIssuer(connection.client, route.scope, request, { deadlineMs });
      connection.release(returnedAs(result));
      if (result.kind === 'read') return result;
      last = problemOf(result);
      if (result.kind === 'unknown' && result.why === 'deadline') return last;
      if (result.kind === 'refused' && judge(result).again === 'no') return last;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      last = problem('leader_unreachable', `${route.leader} can't be reached: ${why}`);
    }
    await routes.changed(shard, route, Math.min(ASK_AGAIN_AFTER_MS, Math.max(0, until - performance.now())));
  }
  return last;
}

const problem = (code: ProblemError['code'], detail: string): ProblemError =>
  new ProblemError(code, { detail });

function problemOf(result: Exclude<ReadIssuerResult, IssuerRead>): ProblemError {
  if (result.kind === 'refused') return problem(judge(result).code, result.message);
  return problem(result.why === 'deadline' ? 'not_yet_durable' : 'outcome_unknown', result.message);
}

const decimal = (cents: string | null): string => formatAmount(BigInt(cents ?? 0));

function issuerDocument(issuer: string, { shard, limit, reserved, open_count, position }: IssuerRead) {
  const remaining = BigInt(limit ?? 0) - BigInt(reserved ?? 0);
  return {
    issuer_id: issuer,
    shard,
    limit: decimal(limit),
    reserved: decimal(reserved),
    remaining: formatAmount(remaining),
    over_limit: remaining < 0n,
    open_count: open_count ?? 0,
    position: position ?? '0',
  };
}

function openDocument(issuer: string, { shard, open, more, head_position }: IssuerRead) {
  return {
    issuer_id: issuer,
    shard,
    position: head_position,
    reservations: open.map((entry) => ({
      reservation_id: entry.reservation,
      desk: entry.desk,
      notional: decimal(entry.notional),
      reservation_token: entry.token,
      decided_position: entry.decided_position,
      decided_at: entry.decided_at,
    })),
    next_after: more ? (open.at(-1)?.reservation ?? null) : null,
  };
}
