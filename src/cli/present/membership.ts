import type { MembershipPlan } from '../../controlplane/membership/plan-types.ts';
import { facts, type Section, text } from '../render/section.ts';
import type { MemberChangeData } from '../schemas/membership.ts';
import { refusalLines } from './refusals.ts';

/** What, where, risk and expected pause: shown before anything is done, and by a dry run alone. */
export function membershipSections(plan: MembershipPlan): Section[] {
  const { action, member, cluster, region, role, goal, inSync } = plan;
  const change = plan.done
    ? 'none: it is so already'
    : `${role ?? 'not a member'} -> ${goal ?? 'not a member'}`;
  return [
    facts(
      [
        ['cluster', cluster],
        ['member', `${member} in ${region}`],
        ['change', change],
        ['leader', plan.leader],
        ['term', plan.term],
        ['epoch', plan.epoch],
        [
          'in sync',
          inSync?.degraded === true
            ? 'none: degraded'
            : inSync?.voters.map((voter) => voter.member).join(', '),
        ],
        ['afterwards', plan.leavesDegraded ? 'degraded, until a voter is added' : null],
        ['steps', plan.steps.join(', ')],
        ['expected pause', plan.pause],
        ['risk', plan.risk],
        ['approvals', plan.approvals.join(', ')],
        ['plan', plan.hash],
      ],
      `${action} ${member}`,
    ),
    ...refusalLines(plan.refusals),
  ];
}

/** What came of a run, without its operation. */
export function outcomeSections({ changed, plan, operation, role, epoch }: MemberChangeData): Section[] {
  const { member, cluster } = plan;
  if (!changed || operation === null)
    return [text(`${member}: ${plan.role ?? 'not a member'} of ${cluster} already; nothing changed`)];
  return [
    facts([
      ['member', member],
      ['cluster', cluster],
      ['role', role ?? plan.goal ?? 'none'],
      ['epoch', epoch],
    ]),
  ];
}
