import { z } from 'zod';
import type { SwitchoverPlan } from '../../controlplane/switchover/plan-types.ts';
import { changed, count, ms, name, yes } from './common.ts';
import { failoverPlan } from './failover.ts';
import { operationDetail } from './operation.ts';

const { inSync, candidates, excluded, loss, refusals } = failoverPlan.shape;

export const switchoverPlan = z.strictObject({
  kind: z.literal('switchover'),
  cluster: name,
  hash: z.string().describe('Changes when anything changes that the decision rests on: `run --plan <hash>`.'),
  mapVersion: count.nullable(),
  term: count,
  nextTerm: count,
  epoch: count,
  leader: name.nullable(),
  leaderHealthy: yes,
  inSync,
  target: name.nullable().describe('Who leads next; null when nobody can.'),
  incarnation: z.string().nullable(),
  candidates,
  excluded,
  loss,
  pause: z.strictObject({
    expectedMs: ms.nullable(),
    basis: z.string(),
    budgetMs: ms.describe(
      'Half of it is for followers to catch up; beyond that the leader keeps its cluster.',
    ),
  }),
  opensDegraded: yes,
  approvals: z.array(z.string()),
  refusals,
});

export const switchoverRun = z.strictObject({
  changed,
  dryRun: yes,
  plan: switchoverPlan,
  operation: operationDetail.nullable().describe('Null for a dry run.'),
  leader: name
    .nullable()
    .describe('Verified after the run; null while it goes on (--no-wait), or in a dry run.'),
  term: count.nullable(),
  pauseMs: ms.nullable().describe('From the draining to the new leader’s lease.'),
});

/** The plan is the operation's own; a test holds it to the schema. */
export type SwitchoverRunData = Omit<z.infer<typeof switchoverRun>, 'plan'> & {
  readonly plan: SwitchoverPlan;
};
