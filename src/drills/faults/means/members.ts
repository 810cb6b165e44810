import { setTimeout as delay } from 'node:timers/promises';
import { currentActor } from '../../../controlplane/actor.ts';
import type { ClusterView } from '../../../controlplane/cluster-view.ts';
import type { MembershipAction } from '../../../controlplane/membership/plan-types.ts';
import { runMembership } from '../../../controlplane/membership/run.ts';
import { resumeOperation } from '../../../controlplane/operation/control.ts';
import { CapstanError } from '../../../domain/errors.ts';
import { CLUSTERS, type MemberNode } from '../../../sandbox/topology.ts';
import { withEstate } from './clusters.ts';
import { REASON, RETRY_MS } from './failover.ts';
import { nothingIfRefused } from './nothing.ts';
import type { Site } from './site.ts';

/** Refusals that end by themselves: the claim is proved again, the other voter is taken in, a failover ends. */
const PASSING: ReadonlySet<string> = new Set([
  'operation_active',
  'cluster_not_open',
  'last_voter_in_sync',
  'member_operation_active',
  'plan_drifted',
]);

export interface MemberOrder {
  readonly action: MembershipAction;
  readonly member: MemberNode;
  readonly asLearner?: boolean;
  readonly acceptDegraded?: boolean;
  readonly timeoutMs: number;
}

/** One change of a membership, asked for again while what stands against it passes by itself. */
export const changeMember = (site: Site, order: MemberOrder): Promise<void> =>
  withEstate(site, async ({ etcd, keys }) => {
    const { action, member, asLearner, acceptDegraded, timeoutMs } = order;
    const { name, cluster, region } = member;
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      try {
        const actor = currentActor();
        const request = { etcd, keys, cluster, action, member: name, region, asLearner, acceptDegraded };
        await runMembership({ ...request, actor, reason: REASON });
        return;
      } catch (error) {
        if (!(error instanceof CapstanError)) throw error;
        const id = error.data['operation'];
        const isPassing = error.retryable || PASSING.has(error.code);
        if ((!isPassing && typeof id !== 'string') || performance.now() > deadline)
          throw nothingIfRefused(error);
        await delay(RETRY_MS);
        if (typeof id !== 'string' || isPassing) continue;
        await resumeOperation({ etcd, keys, id, actor: currentActor() });
        return;
      }
    }
  });

/**
 * Gives the members that a cluster was made with their places back: what was left halfway is carried on, who is out is added,
 * a learner is promoted. Answers what had to be done.
 */
export async function restoreMembers(
  site: Site,
  view: ClusterView,
  timeoutMs: number,
): Promise<readonly string[]> {
  const plan = CLUSTERS.find(({ name }) => name === view.name);
  const roles = view.membership?.value.members;
  const done: string[] = [];
  if (plan === undefined || roles === undefined) return done;
  for (const member of plan.members) {
    const operation = view.memberOperations.get(member.name)?.value;
    const role = roles[member.name]?.role;
    if (operation !== undefined) {
      await withEstate(site, ({ etcd, keys }) =>
        resumeOperation({ etcd, keys, id: operation, actor: currentActor() }),
      );
      done.push(`carried on ${operation}`);
    } else if (role === undefined || role === 'learner') {
      await changeMember(site, { action: role === undefined ? 'add' : 'promote', member, timeoutMs });
      done.push(`gave ${member.name} its place back`);
    }
  }
  return done;
}
