import type { FastifyReply, FastifyRequest } from 'fastify';
import { assertNever } from '../domain/errors.ts';
import { isRefusedCommand } from '../reservations/types.ts';
import type { Answer } from './answer.ts';
import { commandRefusal, decidedReply } from './decided-reply.ts';
import {
  problemDocument,
  problemStatus,
  retryAfterSeconds,
  type ProblemCode,
  type ProblemDetails,
} from './problem.ts';
import { headersOfFacts, headersOfRoute, type ReplyHeaders } from './reply-headers.ts';
import type { RouteTable } from './route-table.ts';
import type { LostOutcome } from './token-types.ts';

const JSON_TYPE = 'application/json; charset=utf-8';
const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

export interface AnsweredCommand {
  readonly shard: number;
  readonly issuer: string;
  readonly token: string;
  /** The decision under this token that a failover lost before; `unread`: that can't be found out now. */
  readonly lostBefore?: LostOutcome | 'unread' | undefined;
}

/** Puts a command's answer into HTTP. */
export function replyAnswer(
  reply: FastifyReply,
  routes: RouteTable,
  answer: Answer,
  command: AnsweredCommand,
): FastifyReply {
  const { shard, token, lostBefore } = command;
  switch (answer.kind) {
    case 'decided': {
      const headers = headersOfFacts(routes, answer.facts);
      if (isRefusedCommand(answer.result)) {
        const { code, details } = commandRefusal(answer.result.refused);
        return sendProblem(reply, code, details, headers);
      }
      if (lostBefore !== undefined)
        headers['capstan-lost-before'] = lostBefore === 'unread' ? 'unknown' : lostBefore.operation;
      const known = lostBefore === 'unread' ? undefined : lostBefore;
      const { status, body } = decidedReply(answer.result, { shard, token, lostBefore: known });
      headers['content-type'] = JSON_TYPE;
      return reply.code(status).headers(headers).send(body);
    }
    case 'refused': {
      const { code, detail } = answer;
      return sendProblem(reply, code, { detail, effect: 'none' }, headersOfRoute(routes, shard));
    }
    case 'unknown': {
      const resolve = resolveUrl(command);
      return reply
        .code(202)
        .headers({ ...headersOfRoute(routes, shard), location: resolve, 'content-type': JSON_TYPE })
        .send(JSON.stringify({ status: 'unknown', reservation_token: token, resolve }));
    }
    default:
      return assertNever(answer);
  }
}

/** Where the outcome of a token is asked for; relative, for this gateway is one of several. */
export const resolveUrl = ({ issuer, token }: Pick<AnsweredCommand, 'issuer' | 'token'>): string =>
  `/reservation-tokens/${encodeURIComponent(token)}?issuer_id=${encodeURIComponent(issuer)}`;

export function sendJson(
  reply: FastifyReply,
  status: number,
  body: unknown,
  headers: ReplyHeaders = {},
): FastifyReply {
  return reply.code(status).headers(headers).header('content-type', JSON_TYPE).send(JSON.stringify(body));
}

export function sendProblem(
  reply: FastifyReply,
  code: ProblemCode,
  details: ProblemDetails,
  headers: ReplyHeaders = {},
): FastifyReply {
  const status = problemStatus(code);
  if (status === 503) reply.header('retry-after', retryAfterSeconds(details.retryAfterMs));
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="capstan"');
  return reply
    .code(status)
    .headers(headers)
    .header('content-type', PROBLEM_TYPE)
    .send(JSON.stringify(problemDocument(code, details, instanceOf(reply.request))));
}

/** The path without its query: a query may hold what doesn't belong in logs. */
const instanceOf = (request: FastifyRequest): string => request.url.split('?', 1)[0] ?? request.url;
