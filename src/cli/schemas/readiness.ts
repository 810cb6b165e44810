import { z } from 'zod';
import { count, ms, name, time } from './common.ts';

export const checkStatus = z
  .enum(['pass', 'fail', 'unknown', 'skipped'])
  .describe('`unknown`: could not be evaluated, which is not ready. `skipped`: does not apply.');

export const checkResult = z.strictObject({
  check: z.string(),
  subject: z.string().describe('What was judged: the estate, a cluster, a member, a gateway.'),
  cluster: name.nullable(),
  status: checkStatus,
  message: z.string(),
  figure: z.string().nullable().describe('What was measured, with its unit.'),
  budget: z.string().nullable().describe('What it is held against, with its unit.'),
  sampleAgeMs: ms.nullable(),
  asked: name.nullable().describe('The member or process that answered.'),
  next: z.string().nullable(),
});

export const readinessReport = z.strictObject({
  ready: z.boolean(),
  counts: z.strictObject({ pass: count, fail: count, unknown: count, skipped: count }),
  results: z.array(checkResult),
  tookMs: ms,
  at: time,
});

export const checkList = z.strictObject({
  checks: z.array(z.strictObject({ name: z.string(), claim: z.string(), asks: z.string() })),
});

export type ReadinessReportData = z.infer<typeof readinessReport>;
