import type { RouteTable, ShardRoute } from './route-table.ts';

/** A member in this gateway's region that may be asked for what it shows. */
export interface NearFollower {
  readonly member: string;
  /** Only such a one may be quoted up to its head. */
  readonly soleVoter: boolean;
}

/** In the order in which they are asked: who is recorded as in sync first, for it shows the newest. */
export function nearFollowers(routes: RouteTable, route: ShardRoute, region: string): NearFollower[] {
  const { cluster, epoch } = route.scope;
  const { membership, inSync, authority } = routes.view.clusters.get(cluster) ?? {};
  if (membership?.value.epoch !== epoch) return [];
  const recorded = inSync?.value.epoch === epoch ? inSync.value.voters.map(({ member }) => member) : [];
  return Object.entries(membership.value.members)
    .filter(([member, { region: at }]) => at === region && member !== authority?.value.leader)
    .map(([member]) => ({ member, soleVoter: recorded.length === 1 && recorded[0] === member }))
    .toSorted((a, b) => Number(recorded.includes(b.member)) - Number(recorded.includes(a.member)));
}
