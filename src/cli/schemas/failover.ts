import { z } from 'zod';
import type { FailoverPlan } from '../../controlplane/failover/plan-types.ts';
import { changed, count, lsn, ms, name, position, time, yes } from './common.ts';
import { operationDetail } from './operation.ts';

const voter = z.strictObject({ member: name, incarnation: z.string() });

const lossForecast = z.strictObject({
  known: count.nullable().describe('Published by the leader, and not held by the target.'),
  possible: count.nullable().describe('What the leader may have confirmed since, until its right ended.'),
  total: count.nullable(),
  atMost: count.nullable().describe('The decision stops above this and above what was accepted.'),
  exposureMs: ms
    .nullable()
    .describe('From what the target is known to hold to the end of the leader’s right.'),
  budgetMs: ms,
  bytes: count.nullable().describe('Of the log.'),
  shards: z.array(
    z.strictObject({
      shard: count,
      leader: position,
      target: position,
      known: count,
      possible: count,
    }),
  ),
  verdict: z.enum(['within', 'over', 'unknown']),
  basis: z.array(z.string()),
});

export const failoverPlan = z.strictObject({
  kind: z.literal('failover'),
  path: z.enum(['in-region', 'regional']),
  region: name.nullable().describe('The next leader’s, when it is another than the present one’s.'),
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
    kind: z.enum(['frozen-voters', 'regional']),
    voters: z.array(name),
    needed: count,
    statement: z.string(),
  }),
  loss: z.strictObject({
    decisions: z.string().describe('Known and possible together; `unknown` when something isn’t known.'),
    statement: z.string(),
    forecast: lossForecast.nullable().describe('Null in region: nothing confirmed is lost.'),
  }),
  rto: z.strictObject({
    forecastMs: ms.describe('From the fault to the first confirmed decision.'),
    maxMs: ms,
    within: yes,
    sinceFaultMs: ms,
    lapseMs: ms,
    proofMs: ms,
    takeOverMs: ms,
    basis: z.string(),
  }),
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
