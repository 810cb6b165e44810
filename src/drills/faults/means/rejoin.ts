import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterView } from '../../../controlplane/cluster-view.ts';
import { messageOf, unknownError } from '../../../domain/errors.ts';
import { killProcess, startProcess } from '../../../sandbox/control.ts';
import { CLUSTERS, type MemberNode } from '../../../sandbox/topology.ts';
import { readViews } from './clusters.ts';
import { isHeld } from './processes.ts';
import type { Site } from './site.ts';
import { standingOn } from './standing.ts';

const POLL_MS = 150;

/** A member that answers for nothing more: its data is thrown away and cloned anew. */
export type Standstill = 'whole' | 'quarantined' | 'underway';

/**
 * How a member stands under the present leader: `whole` when it leads, or follows (a voter in the recorded in-sync set);
 * `quarantined` when only a new clone brings it back; `underway` when it is still getting there.
 */
export function standingOf(view: ClusterView | undefined, { name, role }: MemberNode): Standstill {
  const authority = view?.authority?.value;
  if (view === undefined || authority?.phase !== 'open' || authority.leader === null) return 'underway';
  const beat = view.heartbeats.get(name)?.value;
  const state = beat?.state;
  if (authority.leader === name) return state === 'leading' ? 'whole' : 'underway';
  // A clone needs a leader that leads.
  if (state === 'quarantined')
    return view.heartbeats.get(authority.leader)?.value.state === 'leading' ? 'quarantined' : 'underway';
  if (state !== 'following' || beat?.incarnation !== view.members.get(name)?.value.incarnation)
    return 'underway';
  const recorded = view.inSync?.value.voters.some(({ member }) => member === name) === true;
  return role === 'observer' || recorded ? 'whole' : 'underway';
}

/**
 * Makes every member of a cluster whole again after a failover: what is quarantined is emptied while its agent is down,
 * and clones anew. Throws `drill_heal_incomplete` (exit 5) that names who isn't whole when the time is up.
 */
export async function rejoinMembers(site: Site, cluster: string, timeoutMs: number): Promise<void> {
  const members = CLUSTERS.find(({ name }) => name === cluster)?.members ?? [];
  const deadline = performance.now() + timeoutMs;
  await standingOn(site.paths).inTurn(`members of ${cluster}`, async () => {
    const emptied = new Set<string>();
    for (;;) {
      const left = await notWhole(site, members);
      if (left.members.length === 0 && left.why === undefined) return;
      for (const { member, standing } of left.members) {
        // Its last word before it was emptied may still stand in etcd.
        if (standing !== 'quarantined' || emptied.has(member.name)) continue;
        await standingOn(site.paths).inTurn(member.name, async () => {
          if (isHeld(site, member.name)) return;
          await emptyMember(site, member.name);
          emptied.add(member.name);
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

/** Throws a member's data and its agent's memory away while nothing of it runs, and starts it again: it clones. */
export async function emptyMember(site: Site, member: string): Promise<void> {
  const { paths } = site;
  await killProcess({ paths, process: member, only: undefined, signal: 'SIGKILL' });
  for (const folder of [paths.data(member), `${paths.data(member)}.agent`])
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  await startProcess({ paths, process: member });
}

const notBack = ({ paths }: Site, cluster: string, { members, why }: Left): Error => {
  const named = members.map(({ member, standing }) => `${member.name} is ${standing}`).join(', ');
  return unknownError(`the members of ${cluster} are not whole again: ${why ?? named}`, {
    code: 'drill_heal_incomplete',
    next: `capstan drill heal --name ${paths.name}`,
    data: { cluster },
  });
};
