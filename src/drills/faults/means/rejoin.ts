import { setTimeout as delay } from 'node:timers/promises';
import { currentActor } from '../../../controlplane/actor.ts';
import { type ClusterView, readClusterView } from '../../../controlplane/cluster-view.ts';
import { signOffLoss } from '../../../controlplane/loss/sign-off.ts';
import { resumeOperation } from '../../../controlplane/operation/control.ts';
import { runRejoin } from '../../../controlplane/rejoin/run.ts';
import { CapstanError, messageOf, unknownError } from '../../../domain/errors.ts';
import { CLUSTERS, type MemberNode } from '../../../sandbox/topology.ts';
import { readViews, withEstate } from './clusters.ts';
import { isHeld } from './processes.ts';
import type { Site } from './site.ts';
import { standingOn } from './standing.ts';

const POLL_MS = 150;

export type Standstill = 'whole' | 'quarantined' | 'underway';

/**
 * How a member stands under the present leader: `whole` when it leads, or follows (a voter in the recorded in-sync set);
 * `quarantined` when only a rejoin brings it back, or one was left halfway; `underway` when it is still getting there.
 */
export function standingOf(view: ClusterView | undefined, { name, role }: MemberNode): Standstill {
  const authority = view?.authority?.value;
  if (view === undefined || authority?.phase !== 'open' || authority.leader === null) return 'underway';
  const beat = view.heartbeats.get(name)?.value;
  const state = beat?.state;
  if (authority.leader === name) return state === 'leading' ? 'whole' : 'underway';
  // A rejoin needs a leader that leads.
  if (state === 'quarantined' || view.rejoins.has(name))
    return view.heartbeats.get(authority.leader)?.value.state === 'leading' ? 'quarantined' : 'underway';
  if (state !== 'following' || beat?.incarnation !== view.members.get(name)?.value.incarnation)
    return 'underway';
  const recorded = view.inSync?.value.voters.some(({ member }) => member === name) === true;
  // Its place may be another than it was made for: after a failover to another region, or once it was removed.
  const place = view.membership === undefined ? role : view.membership.value.members[name]?.role;
  return place === 'observer' || (place === 'voter' && recorded) ? 'whole' : 'underway';
}

/**
 * Makes every member of a cluster whole again after a failover: what is quarantined rejoins, as an operator would have it. Throws `drill_heal_incomplete` (exit 5) that names who isn't whole when the time is up.
 */
export async function rejoinMembers(site: Site, cluster: string, timeoutMs: number): Promise<void> {
  const members = CLUSTERS.find(({ name }) => name === cluster)?.members ?? [];
  const deadline = performance.now() + timeoutMs;
  await standingOn(site.paths).inTurn(`members of ${cluster}`, async () => {
    for (;;) {
      const left = await notWhole(site, members);
      if (left.members.length === 0 && left.why === undefined) return;
      for (const { member, standing } of left.members) {
        if (standing !== 'quarantined') continue;
        await standingOn(site.paths).inTurn(member.name, async () => {
          if (!isHeld(site, member.name)) await bringBack(site, member, deadline - performance.now());
        });
      }
      if (performance.now() > deadline) throw notBack(site, cluster, left);
      await delay(POLL_MS);
    }
  });
}

interface Left {
  readonly members: readonly { readonly member: MemberNode; readonly standing: Standstill }[];
  readonly why: string | undefined;
}

async function notWhole(site: Site, members: readonly MemberNode[]): Promise<Left> {
  try {
    const views = await readViews(site);
    const found = members.map((member) => ({
      member,
      standing: standingOf(views.get(member.cluster), member),
    }));
    const left = found.filter(
      // Whoever holds a member down brings it back.
      ({ member, standing }) => standing !== 'whole' && !isHeld(site, member.name),
    );
    return { members: left, why: undefined };
  } catch (error) {
    return { members: [], why: messageOf(error) };
  }
}

/**
 * Rejoins a member, or goes on with the rejoin that somebody left. What may be lost is signed off as soon as it is all salvaged.
 * What stops it is found again at the next look.
 */
export const bringBack = (site: Site, { name, cluster }: MemberNode, timeoutMs: number): Promise<boolean> =>
  withEstate(site, async ({ etcd, keys }) => {
    const actor = currentActor();
    const signal = AbortSignal.timeout(Math.max(1, Math.floor(timeoutMs)));
    const left = (await readClusterView(etcd, keys, cluster))?.rejoins.get(name)?.value.operation;
    try {
      await (left === undefined
        ? runRejoin({ etcd, keys, cluster, member: name, method: 'rewind', actor, reason: 'drill', signal })
        : resumeOperation({ etcd, keys, id: left, actor, signal }));
      return true;
    } catch (error) {
      if (!(error instanceof CapstanError)) throw error;
      const loss = error.data['loss'];
      if (error.code === 'loss_not_signed_off' && typeof loss === 'string')
        await signOffLoss({ etcd, keys, operation: loss, actor, reason: 'drill' }).catch(ifCapstan);
      return false;
    }
  });

function ifCapstan(error: unknown): void {
  if (!(error instanceof CapstanError)) throw error;
}

const notBack = ({ paths }: Site, cluster: string, { members, why }: Left): Error => {
  const named = members.map(({ member, standing }) => `${member.name} is ${standing}`).join(', ');
  return unknownError(`the members of ${cluster} are not whole again: ${why ?? named}`, {
    code: 'drill_heal_incomplete',
    next: `capstan drill heal --name ${paths.name}`,
    data: { cluster },
  });
};
