import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Outcome } from '../../reservations/types.ts';
import { isRefusedCommand } from '../../reservations/types.ts';
import { demandIdentity } from '../access.ts';
import { commitTokenOf } from '../answer.ts';
import { validated } from '../cold-requests.ts';
import type { GatewayContext } from '../context.ts';
import { amount } from '../decided-reply.ts';
import { bodyOf } from '../json-body.ts';
import { replyAnswer, sendJson, sendProblem } from '../replier.ts';
import { headersOfFacts, headersOfRoute } from '../reply-headers.ts';
import { pathId, settleRequest, tokenQuery } from '../schemas.ts';
import { resolveByToken } from '../token-resolution.ts';
import type { Evidence, LostOutcome, TokenResolution } from '../token-types.ts';

interface ByToken {
  Params: { token: string };
}

/** What became of a token, and making an absent one final. */
export function registerTokens(app: FastifyInstance, context: GatewayContext): void {
  const { routes, connections, contract, batcher, keys, losses } = context;

  const resolve = (token: string, issuer: string | undefined) =>
    resolveByToken({
      routes,
      losses,
      take: (cluster, leader) => connections.take(cluster, leader, 'ask'),
      token,
      issuer,
      deadlineMs: contract.deadlines.readMs,
    });

  app.get<ByToken>('/reservation-tokens/:token', async (request, reply) => {
    demandIdentity(request, keys());
    const token = validated(pathId, request.params.token, 'reservation_token');
    const { issuer_id: issuer } = validated(tokenQuery, request.query);
    return replyResolution(context, reply, await resolve(token, issuer));
  });

  app.post<ByToken>('/reservation-tokens/:token/settle', async (request, reply) => {
    const { desk } = demandIdentity(request, keys(), 'operator');
    const token = validated(pathId, request.params.token, 'reservation_token');
    const { issuer_id: issuer } = validated(settleRequest, bodyOf(request));
    const shard = routes.shardOf(issuer);
    if (shard === undefined) {
      const detail = 'this gateway has not learned of an estate yet';
      return sendProblem(reply, 'estate_unknown', { detail, effect: 'none' });
    }
    if (losses.concerns(shard)) {
      // Absent only because a failover lost it, or nobody knows yet: nothing is written over that.
      const found = await resolve(token, issuer);
      if ((found.status === 'unknown' || found.status === 'lost') && !found.settleable)
        return replyResolution(context, reply, found);
    }
    const sentAt = performance.now();
    const answer = await batcher.submit(shard, { kind: 'settle', issuer, token, desk });
    if (answer.kind !== 'decided' || isRefusedCommand(answer.result)) {
      return replyAnswer(reply, routes, answer, { shard, issuer, token });
    }
    const { facts, result } = answer;
    const route = routes.routeOf(shard);
    // The route may have changed since: it names the answer's cluster and member only under the same authority.
    const sameOwner = route?.scope.generation === facts.generation;
    const sameTerm = sameOwner && route.scope.term === facts.term;
    const evidence: Evidence = {
      shard,
      cluster: sameOwner ? route.scope.cluster : null,
      member: sameTerm ? route.leader : null,
      generation: facts.generation,
      term: facts.term,
      epoch: facts.epoch,
      position: result.position,
      commit_token: commitTokenOf(shard, result),
      lease_left_ms: Math.max(0, Math.floor(facts.left_ms - (performance.now() - sentAt))),
      degraded: facts.degraded,
    };
    return sendJson(
      reply,
      200,
      tokenDocument({ status: result.outcome, issuer, token, outcome: result, evidence, lost: null }),
      headersOfFacts(routes, facts),
    );
  });
}

function replyResolution(context: GatewayContext, reply: FastifyReply, found: TokenResolution): FastifyReply {
  const { status, facts, evidence, asked, issuers, issuer } = found;
  const headers =
    facts !== null
      ? headersOfFacts(context.routes, facts)
      : evidence.shard === null
        ? {}
        : headersOfRoute(context.routes, evidence.shard);
  const detail = found.detail ?? 'the authority could not say';
  if (status === 'not_found') {
    return sendProblem(reply, 'token_not_found', { detail, data: { evidence, asked } }, headers);
  }
  if (issuers.length > 1) {
    return sendProblem(reply, 'issuer_required', { detail, field: 'issuer_id', data: { issuers } });
  }
  if (status === 'unknown' || issuer === null) {
    const data = { reservation_token: found.token, evidence };
    return sendProblem(reply, 'outcome_unknown', { detail, data: { ...data, outcome: 'unknown' } }, headers);
  }
  return sendJson(reply, 200, tokenDocument({ ...found, issuer }), headers);
}

function tokenDocument({
  status,
  issuer,
  token,
  outcome,
  evidence,
  lost,
}: {
  readonly status: string;
  readonly issuer: string;
  readonly token: string;
  readonly outcome: Outcome | null;
  readonly evidence: Evidence;
  readonly lost: LostOutcome | null;
}) {
  return {
    status,
    issuer_id: issuer,
    reservation_token: token,
    command: outcome?.command ?? null,
    reservation_id: outcome?.reservation ?? null,
    reason: outcome?.reason ?? null,
    commit_token: evidence.commit_token,
    remaining: amount(outcome?.remaining ?? null),
    decided_at: outcome?.decided_at ?? null,
    lost,
    evidence,
  };
}
