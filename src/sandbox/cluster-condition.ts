import type { ClusterView } from '../controlplane/cluster-view.ts';
import { claimOfCluster } from '../controlplane/rpo-gate-standing.ts';
import type { ClusterPlan } from './topology.ts';

export interface ClusterCondition {
  /** What `up` still waits for; undefined when the cluster serves as well as it can without an operator. */
  readonly missing: string | undefined;
  /** What an operator has to do before it is whole again. */
  readonly warnings: readonly string[];
}

/**
 * Whether a cluster serves: its leader holds a lease that etcd and its own heartbeat agree on, every voter that follows
 * is in the recorded in-sync set, and the observers stream. A quarantined member or a running operation is for an
 * operator to end: it is reported, not awaited.
 */
export function clusterCondition(view: ClusterView | undefined, plan: ClusterPlan): ClusterCondition {
  const name = plan.name;
  const authority = view?.authority?.value;
  if (view === undefined || authority === undefined) return wait(`${name} does not exist yet`);
  const operation = view.activeOperation?.value;
  if (operation !== undefined) {
    return settled([`${name}: operation ${operation} is running: capstan operation resume ${operation}`]);
  }
  const { leader, term } = authority;
  if (authority.phase !== 'open' || leader === null) return wait(`${name} is ${authority.phase}`);
  const beats = new Map([...view.heartbeats].map(([member, { value }]) => [member, value]));
  const leading = beats.get(leader);
  const lease = view.lease?.value;
  if (leading === undefined) return wait(`${leader} sends no heartbeat`);
  if (
    lease === undefined ||
    lease.term !== term ||
    lease.leader !== leader ||
    (leading.leaseLeftMs ?? 0) <= 0
  ) {
    return wait(`${leader} (${leading.state}${reasonOf(leading.reason)}) holds no lease`);
  }
  const warnings: string[] = [];
  const recorded = view.inSync?.value;
  const inSync = new Set((recorded?.voters ?? []).map(({ member }) => member));
  for (const [member, { role }] of membersOf(view, plan)) {
    if (member === leader) continue;
    const beat = beats.get(member);
    if (beat?.state === 'quarantined') {
      warnings.push(`${member} is quarantined${reasonOf(beat.reason)}`);
      continue;
    }
    if (beat?.state !== 'following') {
      return wait(`${member} is ${beat === undefined ? 'silent' : `${beat.state}${reasonOf(beat.reason)}`}`);
    }
    if (role === 'voter' && !inSync.has(member)) return wait(`${member} is not in the recorded in-sync set`);
    if (!leading.followers.some((follower) => follower.member === member)) {
      return wait(`${leader} sees no stream to ${member}`);
    }
  }
  if (recorded?.degraded ?? true) {
    warnings.push(`${name} is degraded: its leader has no synchronous follower`);
  }
  return settled(warnings);
}

/** Who counts is the membership's to say: members come and go. */
const membersOf = (view: ClusterView, plan: ClusterPlan) =>
  Object.entries(
    view.membership?.value.members ?? Object.fromEntries(plan.members.map((member) => [member.name, member])),
  );

const wait = (missing: string): ClusterCondition => ({ missing, warnings: [] });
const settled = (warnings: readonly string[]): ClusterCondition => ({ missing: undefined, warnings });
const reasonOf = (reason: string | null): string => (reason === null ? '' : `: ${reason}`);

/** The RPO claim needs proof from the other region, a few heartbeats after the first lease: who still lacks it. */
export function unprovedClaim(
  view: ClusterView | undefined,
  plan: ClusterPlan,
  nowMs: number,
): string | undefined {
  const authority = view?.authority?.value;
  const observed = plan.members.some(
    ({ name, role }) => role === 'observer' && view?.heartbeats.get(name)?.value.state === 'following',
  );
  if (view === undefined || authority?.phase !== 'open') return undefined;
  if (view.activeOperation !== undefined || !observed) return undefined;
  return claimOfCluster(view, nowMs).claim === 'advertised'
    ? undefined
    : `${plan.name} has not proved its RPO claim yet`;
}
