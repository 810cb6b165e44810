import type { FastifyInstance } from 'fastify';
import { validated } from '../cold-requests.ts';
import type { GatewayContext } from '../context.ts';
import { openApiDocument } from '../openapi.ts';
import { ProblemError } from '../problem.ts';
import { readinessOf } from '../readiness.ts';
import { sendJson } from '../replier.ts';
import { readinessQuery } from '../schemas.ts';

/** What machines ask of the gateway itself. No key is needed: nothing of a client is shown. */
export function registerHealth(app: FastifyInstance, context: GatewayContext): void {
  const { routes, leases, contract, metrics, staleForMs } = context;
  let document: string | undefined;

  app.get('/healthz', async (_request, reply) => {
    const lapsed = [...routes.view.clusters.keys()].flatMap((cluster) => {
      const rpo = routes.rpoOf(cluster);
      if (rpo?.acts === false) return [];
      const { claim, reason } = rpo ?? { claim: 'unknown', reason: 'nothing was published yet' };
      return [{ cluster, promise: 'rpo', claim, reason }];
    });
    return sendJson(reply, 200, {
      status: 'alive',
      gateway: context.name,
      region: context.region,
      version: context.version,
      lapsed_claims: lapsed,
    });
  });

  app.get('/readyz', async (request, reply) => {
    const { cluster, promise } = validated(readinessQuery, request.query);
    const readiness = context.stopping()
      ? { ready: false, reason: 'the gateway is stopping', view_age_ms: null, clusters: [] }
      : readinessOf({ routes, leases, contract, cluster, promise, staleForMs: staleForMs() });
    if (readiness === undefined) {
      throw new ProblemError('not_found', { field: 'cluster', detail: `there is no cluster ${cluster}` });
    }
    return sendJson(reply, readiness.ready ? 200 : 503, readiness);
  });

  app.get('/metrics', async (_request, reply) =>
    reply.header('content-type', metrics.registry.contentType).send(await metrics.registry.metrics()),
  );

  app.get('/openapi.json', async (_request, reply) => {
    document ??= JSON.stringify(openApiDocument(context.version));
    return reply.header('content-type', 'application/json; charset=utf-8').send(document);
  });
}
