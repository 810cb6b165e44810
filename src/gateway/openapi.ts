import { z } from 'zod';
import { projectionPaths } from './projection-openapi.ts';
import * as projectionSchemas from './projection-schemas.ts';
import * as schemas from './schemas.ts';

const COMPONENTS = {
  ReserveRequest: schemas.reserveRequest,
  ReleaseRequest: schemas.releaseRequest,
  LimitRequest: schemas.limitRequest,
  SettleRequest: schemas.settleRequest,
  Confirmed: schemas.confirmedReply,
  LimitSet: schemas.limitReply,
  Rejected: schemas.rejectedReply,
  Abandoned: schemas.abandonedReply,
  Unknown: schemas.unknownReply,
  Evidence: schemas.evidence,
  TokenOutcome: schemas.tokenReply,
  Issuer: schemas.issuerReply,
  OpenReservations: schemas.openReservationsReply,
  Dashboard: projectionSchemas.dashboardReply,
  ComplianceSearch: projectionSchemas.complianceReply,
  RiskExposure: projectionSchemas.riskReply,
  Health: schemas.health,
  Readiness: schemas.readiness,
  Problem: schemas.problem,
} as const;
type Component = keyof typeof COMPONENTS;

/** The API as OpenAPI 3.1, generated from the schemas that requests and replies are checked with. */
export function openApiDocument(version: string) {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Capstan gateway',
      version,
      description:
        'Reservations against limits, decided by one authority a shard. Every command carries a reservation token; a command ' +
        'whose outcome is unknown is resolved, or sent again, under the same token.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths: paths(),
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
      headers: headers(),
      schemas: componentSchemas(),
    },
  };
}

const ref = (name: Component) => ({ $ref: `#/components/schemas/${name}` });
const AUTHORITY_HEADERS = {
  'Capstan-Shard': 'The shard that answered.',
  'Capstan-Generation': 'Raised at each change of the owning cluster.',
  'Capstan-Term': "Raised at each change of the cluster's leader.",
  'Capstan-Rpo-Lag-Ms': 'Age of what the remote follower has replayed, or `unknown`.',
  'Capstan-Rpo-Claim':
    '`advertised` while the RPO promise is being proved; else `withdrawn`, `lapsed`, `unknown`, or `none` without a remote follower.',
  'Capstan-Rpo-Action':
    'What the RPO gate does now: `throttle`, `close` or `degrade`, as the contract says; else `none`, or `unknown`.',
  'Capstan-Durability': '`sync`: held by the same-region follower; `degraded`: by the leader alone.',
  'Capstan-Served-By': 'Reads of issuers: `leader` or `follower`, and the member.',
  'Capstan-Position':
    'Reads of issuers: the commit token of the state that is shown; absent while nothing was decided in its shard.',
  'Capstan-Staleness-Ms':
    'Reads of issuers: the answer lacks nothing that was confirmed longer ago; 0 from a leader; `unknown` is not zero.',
  'Capstan-Lost-Before':
    'Only with a decision under a token whose earlier decision a failover lost: that operation; `unknown` while it can’t be told.',
} as const;

const headers = () =>
  Object.fromEntries(
    Object.entries(AUTHORITY_HEADERS).map(([name, description]) => [
      name,
      { description, schema: { type: 'string' } },
    ]),
  );

const authorityHeaders = Object.fromEntries(
  Object.keys(AUTHORITY_HEADERS).map((name) => [name, { $ref: `#/components/headers/${name}` }]),
);

const body = (name: Component) => ({
  required: true,
  content: { 'application/json': { schema: ref(name) } },
});
const json = (description: string, ...names: readonly Component[]) => ({
  description,
  headers: authorityHeaders,
  content: {
    'application/json': {
      schema: names.length === 1 ? names.map(ref)[0] : { oneOf: names.map(ref) },
    },
  },
});
const problemReply = (description: string, alsoJson: readonly Component[] = []) => ({
  description,
  headers: authorityHeaders,
  content: {
    ...(alsoJson.length === 0 ? {} : { 'application/json': { schema: { oneOf: alsoJson.map(ref) } } }),
    'application/problem+json': { schema: ref('Problem') },
  },
});
const refusals = {
  400: problemReply('A field is missing or wrong; `field` names it. Nothing was tried.'),
  401: problemReply('No valid key.'),
};
const unavailable = (description: string) => ({
  ...problemReply(description),
  headers: { ...authorityHeaders, 'Retry-After': { schema: { type: 'integer' } } },
});
const commandReplies = {
  ...refusals,
  202: json('It may have been decided; ask at `resolve`.', 'Unknown'),
  403: problemReply("The key's role, or desk, may not do that."),
  404: problemReply('The issuer or the reservation is not known.'),
  422: problemReply('The token is bound to other content (`token_reused`).'),
  503: unavailable('Provably without effect (`effect: none`); `code` says why.'),
};

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'An alias of `reservation_token`; both must agree.',
  schema: { type: 'string' },
};
const commitTokenHeader = {
  name: 'Capstan-Commit-Token',
  in: 'header',
  required: false,
  description: 'An alias of `commit_token`; both must agree.',
  schema: { type: 'string' },
};
const pathParameter = (name: string, description: string) => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: plain(schemas.pathId),
});
const queryParameters = (schema: z.ZodObject) =>
  Object.entries(schema.shape).map(([name, part]) => ({
    name,
    in: 'query',
    required: false,
    schema: plain(part as z.ZodType),
  }));

function paths() {
  const secured = [{ key: [] }];
  return {
    '/reservations': {
      post: {
        operationId: 'reserve',
        summary: 'Reserve part of an issuer’s limit. Takes a desk’s key.',
        security: secured,
        parameters: [idempotencyKey],
        requestBody: body('ReserveRequest'),
        responses: {
          ...commandReplies,
          200: json('Confirmed before, under this token (`replayed: true`).', 'Confirmed'),
          201: json('Confirmed now.', 'Confirmed'),
          409: problemReply('Rejected or abandoned, both final; or the reservation id is taken.', [
            'Rejected',
            'Abandoned',
          ]),
        },
      },
    },
    '/reservations/{id}/release': {
      post: {
        operationId: 'release',
        summary: 'Release one of the desk’s own reservations. Takes a desk’s key.',
        security: secured,
        parameters: [pathParameter('id', 'The reservation id.'), idempotencyKey],
        requestBody: body('ReleaseRequest'),
        responses: {
          ...commandReplies,
          200: json('Released.', 'Confirmed'),
          409: problemReply('Rejected (already released) or abandoned.', ['Rejected', 'Abandoned']),
        },
      },
    },
    '/issuers/{id}/limit': {
      put: {
        operationId: 'setLimit',
        summary: 'Set an issuer’s limit, also below what is reserved. Takes an operator’s key.',
        security: secured,
        parameters: [pathParameter('id', 'The issuer.'), idempotencyKey],
        requestBody: body('LimitRequest'),
        responses: {
          ...commandReplies,
          200: json('Set.', 'LimitSet'),
          409: problemReply('Abandoned.', ['Abandoned']),
        },
      },
    },
    '/issuers/{id}': {
      get: {
        operationId: 'issuer',
        summary:
          'An issuer’s limit and exposure, from its leader; with a bound, from a follower of this region that is within it, if there is one.',
        security: secured,
        parameters: [
          pathParameter('id', 'The issuer.'),
          ...queryParameters(schemas.issuerQuery),
          commitTokenHeader,
        ],
        responses: { ...refusals, ...readReplies('Issuer') },
      },
    },
    '/issuers/{id}/open-reservations': {
      get: {
        operationId: 'openReservations',
        summary:
          'An issuer’s open reservations in pages, from its leader; with a bound, from a follower of this region that is within it, if there is one.',
        security: secured,
        parameters: [
          pathParameter('id', 'The issuer.'),
          ...queryParameters(schemas.openReservationsQuery),
          commitTokenHeader,
        ],
        responses: { ...refusals, ...readReplies('OpenReservations') },
      },
    },
    '/reservation-tokens/{token}': {
      get: {
        operationId: 'resolveToken',
        summary:
          'What became of a reservation token. Without an issuer, every authority is asked. `lost`: a failover lost it, by its signed-off report.',
        security: secured,
        parameters: [
          pathParameter('token', 'The reservation token.'),
          ...queryParameters(schemas.tokenQuery),
        ],
        responses: {
          ...refusals,
          200: json('Its outcome.', 'TokenOutcome'),
          404: problemReply('The authority itself knows no such token; it may still be in flight.'),
          409: problemReply('Several issuers know it: name one.'),
          503: unavailable(
            'Nobody can say (`outcome_unknown`): the authority could not, or a failover may have lost it and its loss is not signed off.',
          ),
        },
      },
    },
    '/reservation-tokens/{token}/settle': {
      post: {
        operationId: 'settleToken',
        summary: 'Make an absent token final: a late original meets `abandoned`. Takes an operator’s key.',
        security: secured,
        parameters: [pathParameter('token', 'The reservation token.')],
        requestBody: body('SettleRequest'),
        responses: {
          ...refusals,
          200: json('Its outcome, now final.', 'TokenOutcome'),
          202: commandReplies[202],
          403: commandReplies[403],
          503: commandReplies[503],
        },
      },
    },
    ...projectionPaths({
      id: pathParameter('id', 'The issuer.'),
      queryParameters,
      ref,
      problem: problemReply,
    }),
    '/healthz': {
      get: { operationId: 'health', responses: { 200: json('The process lives.', 'Health') } },
    },
    '/readyz': {
      get: {
        operationId: 'ready',
        parameters: queryParameters(schemas.readinessQuery),
        responses: {
          200: json('Ready.', 'Readiness'),
          404: problemReply('There is no such cluster.'),
          503: json('Not ready.', 'Readiness'),
        },
      },
    },
    '/metrics': { get: { operationId: 'metrics', responses: { 200: { description: 'Prometheus text.' } } } },
    '/openapi.json': {
      get: { operationId: 'openapi', responses: { 200: { description: 'This document.' } } },
    },
  };
}

const readReplies = (name: Component) => ({
  200: json(
    'As the leader shows it, and its followers hold it; or as a follower does, within the bounds.',
    name,
  ),
  404: problemReply('The issuer has no limit yet.'),
  409: problemReply(
    'A failover lost what the commit token names (`commit_token_lost`, with the operation), its authority never had it (`commit_token_unknown`), or the state of the first page can’t be shown any more (`page_expired`).',
  ),
  503: unavailable(
    'Not to be had now, or not yet held by the follower (`not_yet_durable`); or nobody meets the bound (`commit_token_behind`, `staleness_bound_unmet`): never an older answer.',
  ),
});

function componentSchemas() {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(COMPONENTS)) registry.add(schema, { id });
  const { schemas: generated } = z.toJSONSchema(registry, {
    io: 'input',
    uri: (id) => `#/components/schemas/${id}`,
  });
  return Object.fromEntries(Object.entries(generated).map(([name, schema]) => [name, stripped(schema)]));
}

const plain = (schema: z.ZodType) => stripped(z.toJSONSchema(schema, { io: 'input' }));

/** Without what names the schema as a document of its own. */
function stripped(schema: object): object {
  return Object.fromEntries(
    Object.entries(schema).filter(([key]) => !['$schema', '$id', 'id', '~standard'].includes(key)),
  );
}
