import type { FastifyInstance, FastifyReply } from 'fastify';
import { CapstanError } from '../../domain/errors.ts';
import { formatCommitToken } from '../../domain/commit-token.ts';
import type { Freshness } from '../../projections/freshness.ts';
import type { ProjectionReader } from '../../projections/reader.ts';
import { demandIdentity } from '../access.ts';
import { validated } from '../cold-requests.ts';
import { searchAuthorities } from '../compliance-authorities.ts';
import type { GatewayContext } from '../context.ts';
import {
  authoritativeDocument,
  dashboardDocument,
  riskDocument,
  searchDocument,
} from '../projection-documents.ts';
import { complianceQuery, dashboardQuery } from '../projection-schemas.ts';
import { ProblemError } from '../problem.ts';
import { sendJson } from '../replier.ts';
import type { ReplyHeaders } from '../reply-headers.ts';
import { pathId } from '../schemas.ts';
import { searchQueryOf } from '../search-request.ts';

interface ById {
  Params: { id: string };
}
const RECENT_MAX = 20;
/** They see across desks. */
const OVERSEERS = ['operator', 'compliance'] as const;

/** What the projections answer. They share neither connection nor queue with decisions. */
export function registerProjections(app: FastifyInstance, context: GatewayContext): void {
  const { keys, routes, projections, metrics, connections, contract } = context;
  const ask = async <T extends { readonly freshness: Freshness }>(
    question: 'dashboard' | 'search' | 'risk',
    use: (reader: ProjectionReader) => Promise<T>,
  ): Promise<T> => {
    if (projections === undefined) {
      throw new ProblemError('projections_missing', { detail: 'this estate keeps no projections' });
    }
    try {
      const answer = await use(projections);
      metrics.projection(question, answer.freshness);
      return answer;
    } catch (error) {
      throw problemOf(error);
    }
  };

  app.get<ById>('/dashboard/issuers/:id', async (request, reply) => {
    demandIdentity(request, keys());
    const issuer = validated(pathId, request.params.id, 'issuer_id');
    const { limit, page } = validated(dashboardQuery, request.query);
    const shard = routes.shardOf(issuer);
    if (shard === undefined) throw estateUnknown();
    const found = await ask('dashboard', (reader) =>
      reader.dashboard({ shard, issuer, limit, page, recentMax: RECENT_MAX }),
    );
    const headers = headersOf(found.freshness);
    const document = dashboardDocument(issuer, shard, found);
    if (document !== undefined) return sendJson(reply, 200, document, headers);
    reply.headers(headers);
    throw new ProblemError('issuer_not_found', {
      detail: `the projections know no limit of issuer ${issuer}`,
      field: 'issuer_id',
    });
  });

  app.get('/compliance/search', async (request, reply) => {
    demandIdentity(request, keys(), OVERSEERS);
    const asked = validated(complianceQuery, request.query);
    const query = searchQueryOf(asked);
    if (asked.authoritative === 'true') {
      return replyAuthoritative(
        reply,
        await searchAuthorities({
          routes,
          take: (cluster, leader) => connections.take(cluster, leader, 'read'),
          query,
          limit: asked.limit,
          deadlineMs: contract.deadlines.readMs,
        }),
      );
    }
    const found = await ask('search', (reader) =>
      reader.search({ query, shards: shardsOf(context), limit: asked.limit, page: asked.page }),
    );
    return sendJson(reply, 200, searchDocument(found), headersOf(found.freshness));
  });

  app.get('/risk/exposure', async (request, reply) => {
    demandIdentity(request, keys(), OVERSEERS);
    const found = await ask('risk', (reader) => reader.risk({ shards: shardsOf(context) }));
    return sendJson(reply, 200, riskDocument(found, routes.view), headersOf(found.freshness));
  });
}

function replyAuthoritative(
  reply: FastifyReply,
  found: Awaited<ReturnType<typeof searchAuthorities>>,
): FastifyReply {
  const complete = found.notAsked.length === 0;
  return sendJson(reply, 200, authoritativeDocument(found), {
    'capstan-watermark': complete ? 'authoritative' : 'unknown',
    'capstan-staleness-ms': complete ? '0' : 'unknown',
    'capstan-within-budget': String(complete),
  });
}

/** Of one shard its commit token; of several the moment that all of them are fresh as of. */
function headersOf({ shards, asOf, stalenessMs, withinBudget }: Freshness): ReplyHeaders {
  const [only, ...others] = shards;
  const token =
    only !== undefined && others.length === 0 && only.position !== '0'
      ? formatCommitToken({
          shard: only.shard,
          position: BigInt(only.position),
          generation: only.generation,
          term: only.term,
        })
      : undefined;
  return {
    'capstan-watermark': token ?? asOf ?? 'unknown',
    'capstan-staleness-ms': stalenessMs === null ? 'unknown' : String(stalenessMs),
    'capstan-within-budget': String(withinBudget),
  };
}

function shardsOf({ routes }: GatewayContext): number[] {
  const { estate } = routes.view;
  if (estate === undefined) throw estateUnknown();
  return Array.from({ length: estate.value.shardCount }, (_, shard) => shard);
}

const estateUnknown = (): ProblemError =>
  new ProblemError('estate_unknown', { detail: 'this gateway has not learned of an estate yet' });

function problemOf(error: unknown): unknown {
  if (!(error instanceof CapstanError)) return error;
  const detail = error.message;
  if (error.code === 'page_invalid') return new ProblemError('field_invalid', { detail, field: 'page' });
  if (error.code === 'page_outdated') return new ProblemError('page_outdated', { detail, field: 'page' });
  if (error.code === 'postgres_unreachable') {
    // Where the database is, is nobody's business outside.
    return new ProblemError('projections_unreachable', { detail: 'the projections gave no answer in time' });
  }
  return error;
}
