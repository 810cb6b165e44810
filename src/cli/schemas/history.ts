import { z } from 'zod';
import { count, ms, name, yes } from './common.ts';

/** What `capstan history check` says. */
export const historyVerdict = z.strictObject({
  held: yes.describe('No rule is broken and at least one was judged.'),
  rules: z.array(
    z.strictObject({
      rule: name,
      status: z.enum(['held', 'broken', 'not judged']).describe('Without its evidence a rule is not judged.'),
      judged: count.describe('How many decisions, tokens or reads were held against it.'),
      violations: count,
      why: z.string().nullable().describe('Why it was not judged, or what of it was not.'),
    }),
  ),
  violations: z
    .array(
      z.strictObject({
        rule: name,
        message: z.string(),
        lines: z.array(count).describe('Numbers (`i`) of the lines that prove it.'),
      }),
    )
    .describe('At most 100 a rule; `rules` counts all.'),
  excerpt: z
    .strictObject({
      rule: name,
      message: z.string(),
      lines: z.array(z.looseObject({ i: count, t: ms, kind: name })),
      minimal: yes.describe('Without any one of its requests and lines the rule is not broken.'),
    })
    .nullable()
    .describe('The smallest part of the history that breaks a rule by itself.'),
  operations: count,
  counts: z.array(z.strictObject({ action: name, outcome: name, count })),
  spanMs: ms,
  missingLines: count.describe('Numbers that no line has.'),
});

export type HistoryVerdictData = z.infer<typeof historyVerdict>;
