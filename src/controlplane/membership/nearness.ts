import type { ClusterView } from '../cluster-view.ts';

/** As the leader's agent has it: who is nearer is taken in. */
const NEAR_BYTES = 1_048_576n;

/** Why a member doesn't follow the leader closely; undefined: it does. By heartbeats: what isn't known isn't near. */
export function followsClosely(view: ClusterView, member: string): string | undefined {
  const leader = view.authority?.value.leader ?? null;
  if (leader === null) return 'waiting for a leader';
  const beat = view.heartbeats.get(member)?.value;
  if (beat === undefined) return `the agent of ${member} is silent`;
  const { state, reason, incarnation, timeline } = beat;
  if (state !== 'following') return `${member} is ${state}${reason === null ? '' : `: ${reason}`}`;
  const registered = view.members.get(member)?.value.incarnation;
  if (registered === undefined || registered !== incarnation)
    return `waiting for ${member} to register its data`;
  const leading = view.heartbeats.get(leader)?.value;
  const seen = leading?.followers.find((one) => one.member === member && one.incarnation === registered);
  if (leading === undefined || seen === undefined) return `waiting for ${leader} to see ${member} stream`;
  if (timeline !== leading.timeline)
    return `${member} is on timeline ${timeline}, ${leader} on ${leading.timeline}`;
  if (seen.lagBytes === null) return `how far ${member} is behind is not known`;
  return BigInt(seen.lagBytes) > NEAR_BYTES ? `${member} is ${seen.lagBytes} bytes behind` : undefined;
}

/** Why a member will never follow by itself; undefined: it may. */
export function isShut(view: ClusterView, member: string): string | undefined {
  const beat = view.heartbeats.get(member)?.value;
  return beat?.state === 'quarantined' ? (beat.reason ?? 'quarantined') : undefined;
}
