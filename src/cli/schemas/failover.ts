import { z } from 'zod';
import type { FailoverPlan } from '../../controlplane/failover/plan-types.ts';
import { changed, count, lsn, ms, name, time, yes } from './common.ts';
import { operationDetail } from './operation.ts';

const voter = z.strictObject({ member: name, incarnation: z.string() });

export const failoverPlan = z.strictObject({
  kind: z.literal('failover'),
  cluster: name,
  hash: z.string().describe('Changes when anything changes that the decision rests on: `run --plan <hash>`.'),
  mapVersion: count.nullable(),
  term: count,
  nextTerm: count,
  epoch: count,
  leader: name.nullable(),
  leaderHealthy: yes,
  inSync: z
    .strictObject({
      term: count,
      epoch: count,
      voters: z.array(voter),
      required: count,
      degraded: yes,
      since: time,
    })
    .nullable(),
  target: name.nullable(),
  candidates: z.array(
    z.strictObject({
      member: name,
      incarnation: z.string(),
      region: name,
      timeline: count.nullable(),
      replayedLsn: lsn.nullable(),
      reasons: z.array(z.string()),
    }),
  ),
  excluded: z.array(z.strictObject({ member: name, region: name, reasons: z.array(z.string()) })),
  fence: z.strictObject({
    kind: z.literal('frozen-voters'),
    voters: z.array(name),
    needed: count,
    statement: z.string(),
  }),
  loss: z.strictObject({ decisions: z.string(), statement: z.string() }),
  pause: z.strictObject({ expectedMs: ms.nullable(), basis: z.string(), atMostMs: ms }),
  opensDegraded: yes,
  approvals: z.array(z.string()),
  automatic: z
    .strictObject({
      wouldRun: yes.describe('Whether agents would begin it by themselves now.'),
      standing: z.enum(['off', 'paused', 'blocked', 'on']),
      against: z.array(z.string()).describe('What stands in the way.'),
    })
    .describe('A forecast by the wall clock; each agent counts by its own monotonic clock.'),
  refusals: z.array(
    z.strictObject({
      code: z.string(),
      message: z.string(),
      override: z.string().nullable(),
      next: z.string(),
    }),
  ),
});

export const failoverRun = z.strictObject({
  changed,
  dryRun: yes,
  plan: failoverPlan,
  operation: operationDetail.nullable().describe('Null for a dry run.'),
  leader: name
    .nullable()
    .describe('Verified after the run; null while it goes on (--no-wait), or in a dry run.'),
  term: count.nullable(),
  pauseMs: ms
    .nullable()
    .describe('From the last sign that the old leader decided to the first decision of the new.'),
});

/** The plan is the operation's own; a test holds it to the schema. */
export type FailoverRunData = Omit<z.infer<typeof failoverRun>, 'plan'> & { readonly plan: FailoverPlan };
