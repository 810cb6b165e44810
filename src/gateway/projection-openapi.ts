import type { z } from 'zod';
import { complianceQuery, dashboardQuery } from './projection-schemas.ts';

type Component = 'Dashboard' | 'ComplianceSearch' | 'RiskExposure';

interface Parts {
  readonly id: object;
  readonly queryParameters: (schema: z.ZodObject) => object[];
  readonly ref: (name: Component) => object;
  readonly problem: (description: string) => object;
}

const HEADERS = {
  'Capstan-Watermark':
    'What is reflected: of one shard its commit token, of several the moment that all of them are fresh as of; `unknown`.',
  'Capstan-Staleness-Ms': 'How old the answer may be, or `unknown`.',
  'Capstan-Within-Budget': '`true` while that is within the contract’s budget; unknown never is.',
} as const;

/** The part of the API that the projections answer. */
export function projectionPaths({ id, queryParameters, ref, problem }: Parts) {
  const security = [{ key: [] }];
  const headers = Object.fromEntries(
    Object.entries(HEADERS).map(([name, description]) => [name, { description, schema: { type: 'string' } }]),
  );
  const replies = (name: Component, description: string) => ({
    200: { description, headers, content: { 'application/json': { schema: ref(name) } } },
    401: problem('No valid key.'),
    404: problem('The estate keeps no projections, or they know no such issuer.'),
    503: problem('The projections cannot be reached in time.'),
  });
  const paged = {
    400: problem('A field is wrong; `field` names it.'),
    409: problem('The projections were rebuilt since this page began: begin again.'),
  };
  const overseers = { 403: problem('The key is neither an operator’s nor compliance’s.') };
  return {
    '/dashboard/issuers/{id}': {
      get: {
        operationId: 'issuerDashboard',
        summary: 'An issuer’s exposure, open reservations and last decisions, from the projections.',
        security,
        parameters: [id, ...queryParameters(dashboardQuery)],
        responses: { ...replies('Dashboard', 'As of the watermark.'), ...paged },
      },
    },
    '/compliance/search': {
      get: {
        operationId: 'complianceSearch',
        summary: 'Decisions of all issuers, best matches first. Takes an operator’s or compliance’s key.',
        security,
        parameters: queryParameters(complianceQuery),
        responses: {
          ...replies('ComplianceSearch', 'As of the watermarks; or as the authorities show it.'),
          ...paged,
          ...overseers,
        },
      },
    },
    '/risk/exposure': {
      get: {
        operationId: 'riskExposure',
        summary: 'Exposure by region, shard, desk and utilisation. Takes an operator’s or compliance’s key.',
        security,
        parameters: [],
        responses: { ...replies('RiskExposure', 'All as of the same watermarks.'), ...overseers },
      },
    },
  };
}
