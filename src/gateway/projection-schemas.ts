import { z } from 'zod';
import { LOG_EVENTS } from '../domain/log-entry.ts';
import { BANDS } from '../projections/queries/risk-exposure.ts';

const STATUSES = ['open', 'released', 'rejected', 'abandoned', 'final'] as const;
const amount = z.string().regex(/^-?\d+\.\d{2}$/);
const position = z.string().regex(/^\d+$/);
const plain = z.string().regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must be plain text');
const page = z.string().max(12_000).optional().meta({ description: '`next_page` of the page before.' });
const limit = z.coerce.number().int().min(1).max(200).default(50);
const time = z.iso.datetime({ offset: true });

export const dashboardQuery = z.strictObject({ page, limit });

export const complianceQuery = z.strictObject({
  q: plain.max(200).optional().meta({
    description:
      'An id or a reservation token, an issuer or part of one, or words that must all be found, each from its beginning.',
  }),
  issuer: plain
    .max(129)
    .optional()
    .meta({ description: 'An issuer; with a trailing `*`, all that begin with it.' }),
  issuer_contains: plain.min(3).max(128).optional(),
  desk: plain.max(128).optional(),
  amount_min: z.string().max(20).optional(),
  amount_max: z.string().max(20).optional(),
  from: time.optional().meta({ description: 'Included.' }),
  to: time.optional().meta({ description: 'Not included.' }),
  status: z.enum(STATUSES).optional(),
  event: z.enum(LOG_EVENTS).optional(),
  authoritative: z.enum(['true', 'false']).default('false').meta({
    description:
      'Asks the shards’ leaders instead: nothing is older than the answer, words are sought anywhere in a text, and old decisions beyond a bound are not looked at.',
  }),
  page,
  limit,
});

const freshness = z
  .strictObject({
    as_of: z.string().nullable(),
    staleness_ms: z.int().nullable().meta({ description: 'null: unknown.' }),
    budget_ms: z.int(),
    within_budget: z.boolean(),
    shards: z.array(
      z.strictObject({
        shard: z.int(),
        state: z.enum(['live', 'gap', 'forked', 'rebuilding', 'absent']),
        reason: z.string().nullable(),
        paused: z.boolean(),
        position,
        generation: z.int(),
        term: z.int(),
        as_of: z.string().nullable(),
        staleness_ms: z.int().nullable(),
        within_budget: z.boolean(),
      }),
    ),
  })
  .meta({ description: 'Up to where each shard’s log is reflected, and how old that is.' });

export const dashboardReply = z.strictObject({
  issuer_id: z.string(),
  shard: z.int(),
  position: position.meta({
    description: 'The shard’s position that is shown; every page shows the first page’s.',
  }),
  limit: amount,
  reserved: amount,
  remaining: amount,
  utilisation: z.number().nullable().meta({ description: 'Reserved by limit; null when the limit is zero.' }),
  over_limit: z.boolean(),
  open_count: z.int(),
  changed_at: z.string(),
  open: z.array(
    z.strictObject({
      reservation_id: z.string(),
      desk: z.string(),
      notional: amount,
      reservation_token: z.string(),
      position,
      decided_at: z.string(),
    }),
  ),
  recent: z.array(
    z.strictObject({
      position,
      event: z.enum(LOG_EVENTS),
      desk: z.string(),
      reservation_token: z.string(),
      reservation_id: z.string().nullable(),
      amount: amount.nullable(),
      reason: z.string().nullable(),
      decided_at: z.string(),
    }),
  ),
  next_page: z.string().nullable(),
  freshness,
});

const decision = z.strictObject({
  match: z.enum(['id', 'issuer', 'issuer_prefix', 'words', 'issuer_part', 'filter', 'authority']),
  commit_token: z.string(),
  issuer_id: z.string(),
  desk: z.string(),
  event: z.enum(LOG_EVENTS),
  status: z.enum(STATUSES),
  reservation_token: z.string(),
  reservation_id: z.string().nullable(),
  amount: amount.nullable(),
  reserved_after: amount.nullable(),
  limit_after: amount.nullable(),
  reason: z.string().nullable(),
  decided_at: z.string(),
  released_position: position.nullable(),
  released_at: z.string().nullable(),
});

export const complianceReply = z.strictObject({
  found: z.array(decision),
  next_page: z.string().nullable(),
  freshness: freshness.nullable().meta({ description: 'null: the authorities were asked.' }),
  authorities: z
    .strictObject({
      complete: z.boolean(),
      asked: z.array(
        z.strictObject({
          cluster: z.string(),
          member: z.string(),
          term: z.int(),
          shards: z.int(),
          not_looked_at: z.int().meta({ description: 'Old decisions beyond the bound.' }),
        }),
      ),
      not_asked: z.array(z.strictObject({ shards: z.array(z.int()), reason: z.string() })),
    })
    .nullable(),
});

const exposure = { reserved: amount, limit: amount, open_count: z.int() };
export const riskReply = z.strictObject({
  total: z.strictObject({ ...exposure, issuers: z.int(), over_limit: z.int() }),
  regions: z.array(
    z.strictObject({ region: z.string().nullable(), ...exposure, issuers: z.int(), over_limit: z.int() }),
  ),
  shards: z.array(
    z.strictObject({
      shard: z.int(),
      region: z.string().nullable(),
      ...exposure,
      issuers: z.int(),
      over_limit: z.int(),
    }),
  ),
  desks: z.array(z.strictObject({ desk: z.string(), reserved: amount, open_count: z.int() })),
  utilisation: z.array(
    z.strictObject({ band: z.enum(BANDS), issuers: z.int(), reserved: amount, limit: amount }),
  ),
  freshness,
});
