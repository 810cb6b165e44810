import { z } from 'zod';
import { changed, count, ms, name, position, time, yes } from './common.ts';

export const commitToken = z.strictObject({
  commitToken: z.string(),
  shard: count,
  position,
  generation: count,
  term: count,
});

export const tokenResolution = z.strictObject({
  changed,
  token: z.string(),
  issuer: z.string().nullable(),
  status: z
    .enum(['confirmed', 'rejected', 'abandoned', 'lost', 'not_found', 'unknown'])
    .describe('All but `not_found` and `unknown` are final.'),
  detail: z.string().nullable(),
  issuers: z
    .array(z.string())
    .describe('Every issuer that knows the token, when none was named and several do.'),
  outcome: z
    .strictObject({
      commitToken: z.string(),
      position,
      generation: count,
      term: count,
      reason: z.string().nullable(),
      reservation: z.string().nullable(),
      notional: z.string().nullable().describe('A decimal with two places.'),
      decidedAt: time,
    })
    .nullable(),
  lost: z
    .strictObject({
      operation: z.string().describe('The failover that lost it.'),
      commitToken: z.string(),
      outcome: z.string().describe('What it was before.'),
      maybeAcknowledged: yes.describe('Whether its caller may have been told.'),
    })
    .nullable(),
  evidence: z.strictObject({
    shard: count.nullable(),
    cluster: name.nullable(),
    member: name.nullable().describe('The member that was asked.'),
    generation: count.nullable(),
    term: count.nullable(),
    epoch: count.nullable(),
    position: position.nullable().describe('The shard’s head when this was true.'),
    leaseLeftMs: ms.nullable(),
    degraded: yes.nullable(),
  }),
});

export type TokenResolutionData = z.infer<typeof tokenResolution>;
