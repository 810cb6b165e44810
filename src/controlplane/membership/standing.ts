import { followsClosely } from './nearness.ts';
import type { ClusterView } from '../cluster-view.ts';

/** Why a cluster's membership can't be changed at this moment; undefined: it can. */
export function heldBecause({ name, activeOperation, authority }: ClusterView): string | undefined {
  if (activeOperation !== undefined) return `operation ${activeOperation.value} holds cluster ${name}`;
  const phase = authority?.value.phase;
  return phase === 'open' && authority?.value.leader !== null
    ? undefined
    : `cluster ${name} is ${phase ?? 'not created'}`;
}

/** Why the leader doesn't decide under the committed membership yet; undefined: it does. */
function leaderIsBehind(view: ClusterView): string | undefined {
  const held = heldBecause(view);
  if (held !== undefined) return held;
  const leader = view.authority?.value.leader ?? '';
  const beat = view.heartbeats.get(leader)?.value;
  const epoch = view.membership?.value.epoch ?? 0;
  if (beat === undefined) return `waiting for ${leader}, whose agent is silent`;
  if (beat.epoch < epoch) return `waiting for ${leader} to see epoch ${epoch}`;
  if (beat.state !== 'leading' || beat.leaseLeftMs === null)
    return `waiting for ${leader} to decide under epoch ${epoch} (it is ${beat.state}${because(beat.reason)})`;
  return undefined;
}

/** Why a member that was given its role doesn't have what goes with it yet; undefined: it has. */
export function notSettled(view: ClusterView, member: string): string | undefined {
  const role = view.membership?.value.members[member]?.role;
  const behind = leaderIsBehind(view);
  if (behind !== undefined) return behind;
  // A failover may have made it the leader meanwhile: then it follows nobody and stands in no record.
  if (view.authority?.value.leader === member) return undefined;
  if (role !== 'voter') return followsClosely(view, member);
  const incarnation = view.members.get(member)?.value.incarnation;
  const record = view.inSync?.value;
  const recorded = record?.voters.some(
    (voter) => voter.member === member && voter.incarnation === incarnation,
  );
  return recorded === true && !record?.degraded
    ? undefined
    : `waiting for the leader to take ${member} into the in-sync set`;
}

/** Why the leader still counts on a member, or doesn't decide without it yet; undefined: it does. */
export function stillCounted(view: ClusterView, member: string): string | undefined {
  if (view.inSync?.value.voters.some((voter) => voter.member === member) === true)
    return `waiting for the leader to take ${member} out of the in-sync record`;
  const behind = leaderIsBehind(view);
  if (behind !== undefined) return behind;
  const leader = view.authority?.value.leader ?? '';
  const names = view.heartbeats.get(leader)?.value.synchronousStandbyNames ?? '';
  return names.includes(`"${member}_`) ? `waiting for ${leader} to stop waiting for ${member}` : undefined;
}

const because = (reason: string | null): string => (reason === null ? '' : `: ${reason}`);
