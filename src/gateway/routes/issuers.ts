import type { FastifyInstance, FastifyReply } from 'fastify';
import { formatAmount } from '../../domain/money.ts';
import type { IssuerRequest } from '../../reservations/read-issuer.ts';
import { demandIdentity } from '../access.ts';
import { validated } from '../cold-requests.ts';
import type { GatewayContext } from '../context.ts';
import { ProblemError } from '../problem.ts';
import { readBounds, type ReadBounds } from '../read-bounds.ts';
import { readIssuerWithin } from '../read-issuer-within.ts';
import { sendJson, sendProblem } from '../replier.ts';
import { headersOfFacts, headersOfRoute } from '../reply-headers.ts';
import { issuerQuery, openReservationsQuery, pathId } from '../schemas.ts';
import { headersOfState, type ShownIssuer, stateToken } from '../shown-issuer.ts';

interface ById {
  Params: { id: string };
}

/** Reads of an issuer: from its leader, or within a bound from a follower of this region. */
export function registerIssuers(app: FastifyInstance, context: GatewayContext): void {
  app.get<ById>('/issuers/:id', async (request, reply) => {
    demandIdentity(request, context.keys());
    const issuer = validated(pathId, request.params.id, 'issuer_id');
    const query = validated(issuerQuery, request.query);
    const bounds = readBounds(request, query, shardOf(context, issuer));
    return show(context, reply, { issuer }, bounds, (shown) => issuerDocument(issuer, shown));
  });

  app.get<ById>('/issuers/:id/open-reservations', async (request, reply) => {
    demandIdentity(request, context.keys());
    const issuer = validated(pathId, request.params.id, 'issuer_id');
    const query = validated(openReservationsQuery, request.query);
    const bounds = readBounds(request, query, shardOf(context, issuer));
    const { after, limit } = query;
    const asked = { issuer, open: { after, limit }, at: bounds.at?.position };
    return show(context, reply, asked, bounds, (shown) => openDocument(issuer, limit, shown));
  });
}

function shardOf({ routes }: GatewayContext, issuer: string): number {
  const shard = routes.shardOf(issuer);
  if (shard === undefined)
    throw new ProblemError('estate_unknown', { detail: 'this gateway has not learned of an estate yet' });
  return shard;
}

async function show(
  context: GatewayContext,
  reply: FastifyReply,
  request: IssuerRequest,
  bounds: ReadBounds,
  document: (shown: ShownIssuer) => unknown,
): Promise<FastifyReply> {
  const { routes } = context;
  const shard = shardOf(context, request.issuer);
  const shown = await readIssuerWithin(context, shard, request, bounds);
  if (shown instanceof ProblemError)
    return sendProblem(reply, shown.code, shown.details, headersOfRoute(routes, shard));
  const authority =
    shown.facts === undefined
      ? {
          ...headersOfRoute(routes, shard),
          'capstan-generation': String(shown.generation),
          'capstan-term': String(shown.term),
        }
      : headersOfFacts(routes, shown.facts);
  const headers = { ...authority, ...headersOfState(shown) };
  if (!shown.issuer.found) {
    const detail = `issuer ${request.issuer} has no limit: an operator has to set one`;
    return sendProblem(reply, 'issuer_not_found', { detail, field: 'issuer_id' }, headers);
  }
  return sendJson(reply, 200, document(shown), headers);
}

const decimal = (cents: string | null): string => formatAmount(BigInt(cents ?? 0));

function issuerDocument(issuer: string, { shard, issuer: state }: ShownIssuer) {
  const { limit, reserved, open_count, position } = state;
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

function openDocument(issuer: string, limit: number, shown: ShownIssuer) {
  const { shard, position } = shown;
  const { open, more } = shown.issuer;
  const at = stateToken(shown) ?? null;
  const after = more ? (open.at(-1)?.reservation ?? null) : null;
  return {
    issuer_id: issuer,
    shard,
    position: String(position),
    reservations: open.map((entry) => ({
      reservation_id: entry.reservation,
      desk: entry.desk,
      notional: decimal(entry.notional),
      reservation_token: entry.token,
      decided_position: entry.decided_position,
      decided_at: entry.decided_at,
    })),
    next_after: after,
    at,
    next: after === null || at === null ? null : nextPage(issuer, { after, limit, at }),
  };
}

/** Relative, for this gateway is one of several. */
function nextPage(issuer: string, page: { after: string; limit: number; at: string }): string {
  const query = new URLSearchParams({ ...page, limit: String(page.limit) });
  return `/issuers/${encodeURIComponent(issuer)}/open-reservations?${query}`;
}
