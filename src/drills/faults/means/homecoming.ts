import type { ClusterView } from '../../../controlplane/cluster-view.ts';
import { CLUSTERS } from '../../../sandbox/topology.ts';
import { openClusterIn, readViews } from './clusters.ts';
import { failOverToRegion, type RegionalOutcome } from './regional.ts';
import { standingOf } from './rejoin.ts';
import type { Site } from './site.ts';

const HOME_WITHIN_MS = 45_000;

/** Whether a cluster is led from the region in which it was made. */
export function leadsAtHome(view: ClusterView | undefined): boolean {
  const plan = CLUSTERS.find(({ name }) => name === view?.name);
  const leader = view?.authority?.value.leader;
  if (view === undefined || plan === undefined || typeof leader !== 'string') return true;
  return view.membership?.value.members[leader]?.region === plan.homeRegion;
}

/**
 * Hands a cluster that is led from elsewhere back to its home region, by another failover: between regions there is no
 * switchover. Its leader is well, so little more than what is on its way is at risk. Undefined: it is at home, or its
 * members there aren't whole yet.
 */
export async function bringHome(site: Site, cluster: string): Promise<RegionalOutcome | undefined> {
  const view = (await readViews(site)).get(cluster);
  const open = openClusterIn(view);
  if (open === undefined || leadsAtHome(view)) return undefined;
  const { homeRegion, members } = open.plan;
  const there = members.filter(({ region }) => region === homeRegion);
  if (!there.every((member) => standingOf(view, member) === 'whole')) return undefined;
  return failOverToRegion(site, {
    cluster,
    region: homeRegion,
    force: true,
    timeoutMs: HOME_WITHIN_MS,
    signal: AbortSignal.timeout(HOME_WITHIN_MS),
  });
}
