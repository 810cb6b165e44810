import type { ClusterView } from '../controlplane/cluster-view.ts';

/** A member that a shard's log may be read from. */
export interface Source {
  readonly member: string;
  readonly kind: 'in-sync' | 'follower' | 'leader';
  /** Only it could lead next in its region: it may be quoted up to its head. */
  readonly soleVoter: boolean;
}

/** Where a cluster's log can be read, and under which authority. */
export interface Sources {
  readonly scope: { readonly cluster: string; readonly epoch: number; readonly term: number };
  /** The best first. */
  readonly members: readonly Source[];
}

/**
 * The members that a projector of a region reads from, in its order: an in-sync follower of the own region, any in-sync follower, any
 * other one that follows (the own region first), the leader. Undefined: the cluster has no authority yet.
 */
export function sourcesOf(view: ClusterView, region: string): Sources | undefined {
  const authority = view.authority?.value;
  const membership = view.membership?.value;
  if (authority === undefined || membership === undefined) return undefined;
  const { leader, term, phase } = authority;
  const inSync = new Set(
    view.inSync?.value.term === term ? view.inSync.value.voters.map(({ member }) => member) : [],
  );
  const voters = Object.entries(membership.members).filter(
    ([member, { role }]) => role === 'voter' && member !== leader,
  );
  const followers = Object.entries(membership.members)
    .filter(([member, { role }]) => member !== leader && role !== 'learner')
    .map(([member, { region: home }]): Source & { readonly rank: number } => {
      const synced = inSync.has(member);
      return {
        member,
        kind: synced ? 'in-sync' : 'follower',
        soleVoter: synced && voters.length === 1,
        rank: (synced ? 0 : 2) + (home === region ? 0 : 1),
      };
    })
    .toSorted((one, other) => one.rank - other.rank || (one.member < other.member ? -1 : 1));
  const members: Source[] = followers.map(({ member, kind, soleVoter }) => ({ member, kind, soleVoter }));
  if (leader !== null && (phase === 'open' || phase === 'draining')) {
    members.push({ member: leader, kind: 'leader', soleVoter: false });
  }
  return { scope: { cluster: view.name, epoch: membership.epoch, term }, members };
}

/** Whether both name the same members in the same order under the same authority. */
export const sameSources = (one: Sources | undefined, other: Sources | undefined): boolean =>
  JSON.stringify(one) === JSON.stringify(other);
