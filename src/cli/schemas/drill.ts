import { z } from 'zod';
import { count, ms, name, time, yes } from './common.ts';

const scale = z.strictObject({
  operations: count.describe('Requests sent.'),
  leftOut: count.describe('Planned requests that found every process busy, and were not sent.'),
  confirmed: count,
  rejected: count,
  unknown: count.describe('Commands whose answer left their outcome open.'),
  shareRejected: z.number().nullable().describe('Of the decided reserves; null when none was decided.'),
  faultsInjected: count,
  faultsFailed: count.describe('Had nothing to be injected into, or could not be injected or healed.'),
});

const round = z.strictObject({
  fault: name,
  target: z.string(),
  cluster: name.nullable(),
  successor: name.nullable().describe('Who leads since.'),
  outageMs: ms
    .nullable()
    .describe('From the fault to the first decision that a caller was told of under the new term.'),
  errors: count.describe(
    'Answers meanwhile that were no outcome: left open, or refused for want of an authority.',
  ),
  told: z.string().nullable(),
  carriedOut: yes.describe('Injected and healed.'),
  broken: z.array(name).describe('Rules that something of its time breaks.'),
});

const drillResult = z.strictObject({
  id: name,
  drill: name,
  promise: z.string(),
  invariants: z.array(z.string()),
  seed: count,
  version: z.string(),
  sandbox: name,
  options: z.strictObject({
    faults: z.array(name),
    rounds: count.nullable().describe('Faults in turn; null: in windows that may overlap.'),
    durationMs: ms,
    ratePerSecond: z.number(),
  }),
  startedAt: time,
  tookMs: ms,
  scale,
  rounds: z.array(round).describe('What its faults did, in their order.'),
  outages: z
    .strictObject({ measured: count, medianMs: ms, worstMs: ms })
    .nullable()
    .describe('Null when no fault changed a leader.'),
  held: yes.describe(
    'No rule is broken, at least one was judged, and some fault took hold if there were any.',
  ),
  rules: z.array(
    z.strictObject({
      rule: name,
      status: z.enum(['held', 'broken', 'not judged']),
      judged: count,
      violations: count,
      why: z.string().nullable(),
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
    .describe('The first of each rule; `rules` counts all.'),
  history: z.string().describe('The file that the verdict is on.'),
  excerpt: z
    .strictObject({
      rule: name,
      message: z.string(),
      minimal: yes.describe('None of the lines can be left out.'),
      lines: z.array(z.looseObject({ i: count, t: ms, kind: name })),
    })
    .nullable()
    .describe('The least of the history that shows the first violation.'),
});

const lastRun = z.strictObject({
  id: name,
  seed: count,
  verdict: z.enum(['held', 'broken', 'inconclusive']),
  startedAt: time,
});

/** The kinds of `capstan drill …`. */
export const DRILL_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  DrillHeal: z.strictObject({
    changed: yes,
    done: z.array(z.string()).describe('What had to be mended, one line each.'),
    tookMs: ms,
  }),
  DrillList: z.strictObject({
    drills: z.array(
      z.strictObject({
        name,
        promise: z.string(),
        invariants: z.array(z.string()),
        faults: z.array(name),
        durationMs: ms,
        rounds: count.nullable(),
        ratePerSecond: z.number(),
        last: lastRun.nullable(),
      }),
    ),
    faults: z.array(z.strictObject({ name, summary: z.string() })),
  }),
  DrillReport: z.strictObject({ held: yes, runs: z.array(drillResult) }),
  DrillRun: z.strictObject({ drill: name, held: yes, runs: z.array(drillResult) }),
};

export type DrillResultData = z.infer<typeof drillResult>;
