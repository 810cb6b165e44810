import { canonicalHash } from '../../domain/canonical-json.ts';
import type { MemberRole, MemberState } from '../../domain/records.ts';
import type { RejoinMethod } from '../../domain/rejoin-records.ts';
import type { ClusterView } from '../cluster-view.ts';
import { openLossesOf } from '../loss/naming.ts';
import { roleIn } from '../membership/next-membership.ts';

export interface RejoinRefusal {
  readonly code:
    | 'member_not_found'
    | 'cluster_not_open'
    | 'member_leads'
    | 'member_not_heard'
    | 'member_not_quarantined'
    | 'rejoin_active';
  readonly message: string;
  readonly next: string;
}

/** What a rejoin will do; `done`: the member counts already and there is nothing to do. */
export interface RejoinPlan {
  readonly kind: 'rejoin';
  readonly cluster: string;
  readonly member: string;
  readonly hash: string;
  readonly term: number;
  readonly epoch: number;
  readonly leader: string | null;
  readonly region: string | null;
  readonly role: MemberRole | null;
  /** What it will be once it has caught up. */
  readonly becomes: 'voter' | 'observer' | null;
  readonly state: MemberState | null;
  /** Of the data that is salvaged and then rewound or replaced. */
  readonly incarnation: string | null;
  readonly method: RejoinMethod;
  /** The failovers whose loss has to be signed off before anything is rewound. */
  readonly losses: readonly string[];
  readonly done: boolean;
  readonly refusals: readonly RejoinRefusal[];
}

/** Plans a rejoin. Pure: the same view gives the same plan, for a dry run and for a run. */
export function planRejoin(view: ClusterView, member: string, method: RejoinMethod): RejoinPlan {
  const authority = view.authority?.value;
  const leader = authority?.phase === 'open' ? authority.leader : null;
  const place = view.membership?.value.members[member];
  const leaderRegion = leader === null ? undefined : view.membership?.value.members[leader]?.region;
  const heartbeat = view.heartbeats.get(member)?.value;
  const about = {
    cluster: view.name,
    member,
    term: authority?.term ?? 0,
    epoch: view.membership?.value.epoch ?? 0,
    leader,
    incarnation: heartbeat?.incarnation ?? null,
    method,
  };
  return {
    kind: 'rejoin',
    ...about,
    hash: canonicalHash(about),
    region: place?.region ?? null,
    role: place?.role ?? null,
    becomes: place === undefined || leaderRegion === undefined ? null : roleIn(place.region, leaderRegion),
    state: heartbeat?.state ?? null,
    losses: openLossesOf(view, member),
    done: isWhole(view, member),
    refusals: refusalsOf(view, member, leader),
  };
}

/** Follows the present leader as what the membership says, and is counted where it votes. */
function isWhole(view: ClusterView, member: string): boolean {
  const role = view.membership?.value.members[member]?.role;
  const heartbeat = view.heartbeats.get(member)?.value;
  if (view.authority?.value.phase !== 'open' || view.rejoins.has(member)) return false;
  if (heartbeat?.state !== 'following') return false;
  if (heartbeat.incarnation !== view.members.get(member)?.value.incarnation) return false;
  const counted = view.inSync?.value.voters.some(
    (voter) => voter.member === member && voter.incarnation === heartbeat.incarnation,
  );
  return role === 'observer' || (role === 'voter' && counted === true);
}

function refusalsOf(view: ClusterView, member: string, leader: string | null): readonly RejoinRefusal[] {
  const show = `capstan member list --cluster ${view.name}`;
  if (view.membership?.value.members[member] === undefined) {
    const message = `cluster ${view.name} has no member ${member}`;
    return [{ code: 'member_not_found', message, next: show }];
  }
  const active = view.rejoins.get(member)?.value.operation;
  if (active !== undefined) {
    const message = `operation ${active} rejoins ${member} already`;
    return [{ code: 'rejoin_active', message, next: `capstan operation resume ${active}` }];
  }
  if (leader === null) {
    const message = `cluster ${view.name} has no leader to come back to`;
    return [{ code: 'cluster_not_open', message, next: `capstan cluster show ${view.name}` }];
  }
  if (leader === member)
    return [{ code: 'member_leads', message: `${member} leads ${view.name}`, next: show }];
  const heartbeat = view.heartbeats.get(member)?.value;
  if (heartbeat === undefined) {
    const message = `the agent of ${member} is silent: start it first`;
    return [{ code: 'member_not_heard', message, next: `capstan agent run ${member}` }];
  }
  if (heartbeat.state === 'quarantined') return [];
  const learner = view.membership.value.members[member]?.role === 'learner';
  const message = `${member} is ${heartbeat.state}, not quarantined`;
  const next = learner ? `capstan member promote ${member}` : show;
  return [{ code: 'member_not_quarantined', message, next }];
}
