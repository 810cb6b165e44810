import fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { messageOf } from '../domain/errors.ts';
import type { GatewayContext } from './context.ts';
import { parseJsonBody } from './json-body.ts';
import { ProblemError, type ProblemCode } from './problem.ts';
import { sendProblem } from './replier.ts';
import { registerCommands } from './routes/commands.ts';
import { registerHealth } from './routes/health.ts';
import { registerIssuers } from './routes/issuers.ts';
import { registerProjections } from './routes/projections.ts';
import { registerTokens } from './routes/tokens.ts';

const BODY_BYTES_MAX = 16 * 1_024;
/** A bound, far beyond what clients with kept-alive connections need: what comes after is hung up on. */
const SOCKETS_MAX = 2_048;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 72_000;
/** Longer than any id, so that one too long is refused by its field and not by "not found". */
const PATH_PARAMETER_MAX = 1_024;

/** The HTTP server with all endpoints; not listening yet. */
export function buildServer(context: GatewayContext, logger: Logger): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    // While it stops, the gateway itself refuses commands, in the words that promise no effect.
    return503OnClosing: false,
    routerOptions: { maxParamLength: PATH_PARAMETER_MAX },
  });
  app.server.maxConnections = SOCKETS_MAX;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, parseJsonBody(body as string));
    } catch (error) {
      done(error as ProblemError);
    }
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, 'not_found', { detail: `there is no ${request.method} here` }),
  );
  app.setErrorHandler<FastifyError | ProblemError>((error, request, reply) => {
    if (error instanceof ProblemError) return sendProblem(reply, error.code, error.details);
    const code = LIBRARY_PROBLEMS[error.code];
    if (code !== undefined) return sendProblem(reply, code, { detail: error.message });
    logger.error(
      {
        method: request.method,
        route: request.routeOptions.url,
        reason: messageOf(error),
        stack: error.stack,
      },
      'a request failed in the gateway itself',
    );
    return sendProblem(reply, 'internal', { detail: 'the gateway failed; its log says why' });
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { url } = request.routeOptions;
    const route = url === undefined ? 'none' : `${request.method} ${url}`;
    context.metrics.answer(route, reply.statusCode, reply.elapsedTime / 1_000);
    done();
  });
  registerCommands(app, context);
  registerTokens(app, context);
  registerIssuers(app, context);
  registerProjections(app, context);
  registerHealth(app, context);
  return app;
}

const LIBRARY_PROBLEMS: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_EMPTY_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'body_invalid',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'body_invalid',
  FST_ERR_BAD_URL: 'not_found',
};
