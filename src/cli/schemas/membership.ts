import { z } from 'zod';
import type { MembershipPlan } from '../../controlplane/membership/plan-types.ts';
import { changed, count, name, time, yes } from './common.ts';
import { operationDetail } from './operation.ts';

const role = z.enum(['voter', 'observer', 'learner']);

const membershipPlan = z.strictObject({
  kind: z.literal('membership'),
  action: z.enum(['add', 'promote', 'remove']),
  cluster: name,
  member: name,
  region: name,
  hash: z.string().describe('Changes when anything changes that the decision rests on: `--plan <hash>`.'),
  term: count,
  epoch: count,
  leader: name.nullable(),
  role: role.nullable().describe('In the membership now; null: it isn’t in it.'),
  goal: role.nullable().describe('Where this ends; null: out of the membership.'),
  inSync: z
    .strictObject({
      term: count,
      epoch: count,
      voters: z.array(z.strictObject({ member: name, incarnation: z.string() })),
      required: count,
      degraded: yes,
      since: time,
    })
    .nullable(),
  done: yes.describe('It is so already: a run changes nothing.'),
  leavesDegraded: yes.describe('The leader is its own durable set afterwards.'),
  steps: z.array(z.string()),
  pause: z.string(),
  risk: z.string(),
  approvals: z.array(z.string()),
  refusals: z.array(
    z.strictObject({
      code: z.string(),
      message: z.string(),
      override: z.string().nullable(),
      next: z.string(),
    }),
  ),
});

const memberChange = z.strictObject({
  changed,
  dryRun: yes,
  plan: membershipPlan,
  operation: operationDetail.nullable().describe('Null for a dry run, and when it was so already.'),
  role: z.string().nullable().describe('Verified after the run; null: out, or not ended yet.'),
  epoch: count.nullable(),
});

/** The kinds of `capstan member add|promote|remove`. */
export const MEMBERSHIP_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  MemberAdd: memberChange,
  MemberPromote: memberChange,
  MemberRemove: memberChange,
};

/** The plan is the operation's own; a test holds it to the schema. */
export type MemberChangeData = Omit<z.infer<typeof memberChange>, 'plan'> & { readonly plan: MembershipPlan };
