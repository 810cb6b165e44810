import { canonicalHash } from '../../domain/canonical-json.ts';
import { assertNever } from '../../domain/errors.ts';
import type { MemberRole } from '../../domain/records.ts';
import type { ClusterView } from '../cluster-view.ts';
import { roleIn } from './next-membership.ts';
import { machineFor } from './phases.ts';
import type { MembershipAction, MembershipPlan } from './plan-types.ts';
import { membershipRefusals, votersWithout } from './refusals.ts';

export interface MembershipPlanInputs {
  readonly view: ClusterView;
  readonly action: MembershipAction;
  readonly member: string;
  /** Where the member is, by the configuration or the membership. */
  readonly region: string;
  /** For an add: it stays a learner. */
  readonly asLearner?: boolean | undefined;
  readonly acceptDegraded?: boolean | undefined;
}

/** Plans a change of membership. Pure: the same inputs give the same plan, for a dry run and for a run. */
export function planMembership(inputs: MembershipPlanInputs): MembershipPlan {
  const { view, action, member, region, asLearner = false, acceptDegraded = false } = inputs;
  const authority = view.authority?.value;
  const membership = view.membership?.value;
  const inSync = view.inSync?.value ?? null;
  const leader = authority?.leader ?? null;
  const role = membership?.members[member]?.role ?? null;
  const goal = goalOf(inputs, membership?.members[leader ?? '']?.region);
  const leavesDegraded =
    action === 'remove' && role === 'voter' && votersWithout(view, member).voters.length === 0;
  // A learner that is to be one is there already, and so is whoever votes or observes.
  const isSo = role === goal || (action === 'add' && asLearner && role !== null);
  const done = isSo && !view.memberOperations.has(member);
  const approvals = leavesDegraded && acceptDegraded ? ['accept-degraded'] : [];
  const base = {
    kind: 'membership',
    action,
    cluster: view.name,
    member,
    region,
    term: authority?.term ?? 0,
    epoch: membership?.epoch ?? 0,
    leader,
    role,
    goal,
    inSync,
    done,
    leavesDegraded,
    approvals,
  } as const;
  const machine = machineFor({ action, goal });
  return {
    ...base,
    hash: canonicalHash({
      ...base,
      incarnation: view.members.get(member)?.value.incarnation ?? null,
      // Not since when, and under which term: what it names.
      inSync: inSync === null ? null : { voters: inSync.voters, required: inSync.required },
    }),
    steps: machine.stepsLeft(machine.first),
    pause: pauseOf(leavesDegraded),
    risk: riskOf(inputs, leavesDegraded),
    refusals: done ? [] : membershipRefusals({ view, action, member, region, acceptDegraded }),
  };
}

function goalOf(
  { action, region, asLearner = false }: MembershipPlanInputs,
  leaderRegion: string | undefined,
): MemberRole | null {
  switch (action) {
    case 'add':
      return asLearner ? 'learner' : roleIn(region, leaderRegion ?? '');
    case 'promote':
      return roleIn(region, leaderRegion ?? '');
    case 'remove':
      return null;
    default:
      return assertNever(action);
  }
}

const pauseOf = (leavesDegraded: boolean): string =>
  leavesDegraded
    ? 'admission is closed until every issued deadline is over: about one lease'
    : 'a fraction of a second at each epoch, in which gateways send again by themselves';

function riskOf({ action, member }: MembershipPlanInputs, leavesDegraded: boolean): string {
  if (leavesDegraded)
    return 'the leader is its own durable set afterwards: losing it loses confirmed decisions, and no failover in region is possible';
  return action === 'remove'
    ? `none for what is confirmed: it is on every voter that stays; the data of ${member} stays where it is`
    : 'none for what is confirmed: it votes only once it holds all of it';
}
