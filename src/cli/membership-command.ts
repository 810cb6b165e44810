import type { MembershipAction, MembershipPlan } from '../controlplane/membership/plan-types.ts';
import { demandConfigured, locateMember } from './locate-member.ts';
import { membershipSections, outcomeSections } from './present/membership.ts';
import { planRefusal } from './present/refusals.ts';
import type { CommandResult } from './result.ts';
import { type ChangeFlags, type ChangeMeans, type ChangeParts, runChange } from './run-change.ts';
import type { MemberChangeData } from './schemas/membership.ts';

interface MembershipFlags extends ChangeFlags {
  readonly cluster?: string | undefined;
  readonly region?: string | undefined;
  readonly learner?: boolean | undefined;
  readonly 'accept-degraded'?: boolean | undefined;
}

interface MembershipMeans extends ChangeMeans<MembershipFlags> {
  readonly kind: string;
  readonly action: MembershipAction;
  readonly member: string;
}

/** `capstan member add|promote|remove`. */
export async function runMembershipCommand(means: MembershipMeans): Promise<CommandResult> {
  const { kind, action, member, etcd, estate, flags } = means;
  const { cluster, region } = await locateMember(etcd, estate, {
    member,
    cluster: flags.cluster,
    region: flags.region,
  });
  if (action === 'add') demandConfigured(estate, member);
  const { readMembershipPlan, runMembership } = await import('../controlplane/membership/run.ts');
  const request = {
    etcd,
    keys: estate.keys,
    cluster,
    action,
    member,
    region,
    asLearner: flags.learner,
    acceptDegraded: flags['accept-degraded'],
  };
  const { plan } = await readMembershipPlan(request);
  return runChange<MemberChangeData>(means, {
    kind,
    cluster,
    subject: `member ${action} ${member}`,
    question: `${action} ${member} of ${cluster}`,
    planHash: plan.hash,
    refusal: planRefusal(plan),
    alreadySo: plan.done ? `member/${member}` : undefined,
    planSections: () => membershipSections(plan),
    run: (order) => runMembership({ ...request, ...order }),
    dataOf: (parts) => dataOf(plan, parts),
    outcome: outcomeSections,
    warnings: ({ changed }) =>
      plan.leavesDegraded && changed
        ? [`${plan.cluster} is degraded: ${plan.leader} is its own durable set until a voter is added`]
        : [],
  });
}

/** What the journal says of the run itself; nothing that is read now may make it look otherwise. */
function dataOf(plan: MembershipPlan, parts: ChangeParts): MemberChangeData {
  const { operation } = parts;
  const { role, epoch } = operation?.status === 'done' ? (operation.steps.at(-1)?.result ?? {}) : {};
  return {
    ...parts,
    plan,
    role: typeof role === 'string' ? role : null,
    epoch: typeof epoch === 'number' ? epoch : null,
  };
}
