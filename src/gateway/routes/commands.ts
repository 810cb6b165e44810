import type { FastifyInstance, FastifyReply } from 'fastify';
import { bodyHash } from '../../reservations/hash.ts';
import type { Command } from '../../reservations/types.ts';
import { demandIdentity } from '../access.ts';
import { validated } from '../cold-requests.ts';
import type { GatewayContext } from '../context.ts';
import { lostOutcome } from '../lost-outcome.ts';
import { readAmount, readReleaseRequest, readReserveRequest, readToken } from '../hot-requests.ts';
import { bodyOf } from '../json-body.ts';
import { replyAnswer, sendProblem } from '../replier.ts';
import { limitRequest, pathId } from '../schemas.ts';

type Body = Readonly<Record<string, unknown>>;
interface ById {
  Params: { id: string };
  Body: Body;
}

/** Reserve, release, set a limit: each becomes one command in its shard's next batch. */
export function registerCommands(app: FastifyInstance, context: GatewayContext): void {
  const { keys } = context;

  app.post<{ Body: Body }>('/reservations', async (request, reply) => {
    const { desk } = demandIdentity(request, keys(), 'desk');
    const { issuer, token, notional, reservation, requestedReservation } = readReserveRequest(
      bodyOf(request),
      request.headers['idempotency-key'],
    );
    const body = { kind: 'reserve', notional, reservation: requestedReservation } as const;
    const hash = bodyHash({ issuer, desk, body });
    return submit(context, reply, {
      kind: 'reserve',
      issuer,
      token,
      desk,
      hash,
      reservation,
      notional: String(notional),
    });
  });

  app.post<ById>('/reservations/:id/release', async (request, reply) => {
    const { desk } = demandIdentity(request, keys(), 'desk');
    const { issuer, token, reservation } = readReleaseRequest(
      request.params.id,
      bodyOf(request),
      request.headers['idempotency-key'],
    );
    const hash = bodyHash({ issuer, desk, body: { kind: 'release', reservation } });
    return submit(context, reply, { kind: 'release', issuer, token, desk, hash, reservation });
  });

  app.put<ById>('/issuers/:id/limit', async (request, reply) => {
    const { desk } = demandIdentity(request, keys(), 'operator');
    const issuer = validated(pathId, request.params.id, 'issuer_id');
    const body = bodyOf(request);
    const { reason } = validated(limitRequest, body);
    const limit = readAmount(body['limit'], 'limit');
    const token = readToken(body, request.headers['idempotency-key']);
    const bound = { issuer, token, desk, limit: String(limit) };
    if (reason === undefined) {
      const hash = bodyHash({ issuer, desk, body: { kind: 'set-limit', limit } });
      return submit(context, reply, { kind: 'set-limit', ...bound, hash });
    }
    const hash = bodyHash({ issuer, desk, body: { kind: 'correct', limit, reason } });
    return submit(context, reply, { kind: 'correct', ...bound, hash, reason });
  });
}

async function submit(context: GatewayContext, reply: FastifyReply, command: Command): Promise<FastifyReply> {
  const { routes, batcher, losses } = context;
  const { issuer, token } = command;
  const shard = routes.shardOf(issuer);
  if (shard === undefined) {
    const detail = 'this gateway has not learned of an estate yet';
    return sendProblem(reply, 'estate_unknown', { detail, effect: 'none' });
  }
  const answer = await batcher.submit(shard, command);
  if (answer.kind !== 'decided' || !losses.concerns(shard))
    return replyAnswer(reply, routes, answer, { shard, issuer, token });
  const lost = await losses.lostBefore(shard, { issuer, token });
  const lostBefore = lost === undefined || lost === 'unread' ? lost : lostOutcome(lost);
  return replyAnswer(reply, routes, answer, { shard, issuer, token, lostBefore });
}
