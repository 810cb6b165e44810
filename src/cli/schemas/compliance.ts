import { z } from 'zod';
import { changed, count, ms, name, position, time, yes } from './common.ts';

const amount = z.string().nullable().describe('A decimal with two places.');

export const complianceSearch = z.strictObject({
  source: z.enum(['projections', 'authorities']),
  found: z.array(
    z.strictObject({
      match: z
        .string()
        .describe(
          'Why it was found: `id`, `issuer`, `issuer_prefix`, `words`, `issuer_part`, `filter`, `authority`.',
        ),
      commitToken: z.string(),
      issuer: z.string(),
      desk: z.string(),
      event: z.string(),
      status: z.string(),
      token: z.string(),
      reservation: z.string().nullable(),
      amount,
      reason: z.string().nullable(),
      decidedAt: time,
    }),
  ),
  nextPage: z.string().nullable().describe('Pass it as --page, with the same filters.'),
  asOf: time
    .nullable()
    .describe('All shards are reflected up to this moment; null: unknown, or the authorities were asked.'),
  stalenessMs: ms.nullable().describe('Null: unknown.'),
  withinBudget: yes,
  shardsOutOfBudget: z.array(count),
  authorities: z
    .array(z.strictObject({ cluster: name, member: name, term: count, shards: count, notLookedAt: count }))
    .describe('Who was asked; `notLookedAt`: old decisions beyond the bound.'),
  notAsked: z.array(z.strictObject({ shards: z.array(count), reason: z.string() })),
});
export type ComplianceSearchData = z.infer<typeof complianceSearch>;

export const issuerCorrect = z.strictObject({
  changed,
  issuer: z.string(),
  shard: count,
  token: z
    .string()
    .describe('The correction’s reservation token: sent again under it, nothing happens twice.'),
  reason: z.string(),
  before: z.strictObject({ limit: z.string(), reserved: z.string(), position }),
  after: z.strictObject({ limit: z.string(), reserved: z.string(), overLimit: yes }),
  outcome: z.enum(['planned', 'confirmed', 'rejected', 'abandoned', 'refused', 'unknown']),
  commitToken: z.string().nullable(),
  replayed: yes.describe('The token was decided before.'),
});
export type IssuerCorrectData = z.infer<typeof issuerCorrect>;
