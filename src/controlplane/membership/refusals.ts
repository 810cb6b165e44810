import type { ClusterView } from '../cluster-view.ts';
import type { MembershipAction, MembershipRefusal } from './plan-types.ts';
import { heldBecause } from './standing.ts';

export interface RefusalInputs {
  readonly view: ClusterView;
  readonly action: MembershipAction;
  readonly member: string;
  readonly region: string;
  readonly acceptDegraded: boolean;
}

/** Everything that stands against a run, the most fundamental first. Empty: it may run. */
export function membershipRefusals(inputs: RefusalInputs): readonly MembershipRefusal[] {
  const { view, member, action } = inputs;
  const busy = view.memberOperations.get(member)?.value ?? view.rejoins.get(member)?.value.operation;
  if (busy !== undefined)
    return [
      refusal('operation_active', `operation ${busy} changes ${member}`, `capstan operation resume ${busy}`),
    ];
  const held = heldBecause(view);
  if (held !== undefined) {
    const active = view.activeOperation?.value;
    return active === undefined
      ? [refusal('cluster_not_open', held, `capstan cluster show ${view.name}`)]
      : [refusal('operation_active', held, `capstan operation resume ${active}`)];
  }
  const against =
    action === 'remove'
      ? [refusedLeader(inputs), refusedLoss(inputs), refusedLastVoter(inputs)]
      : [refusedPlace(inputs)];
  return against.filter((found) => found !== undefined);
}

const refusal = (
  code: string,
  message: string,
  next: string,
  override: string | null = null,
): MembershipRefusal => ({
  code,
  message,
  override,
  next,
});

function refusedPlace({ view, action, member, region }: RefusalInputs): MembershipRefusal | undefined {
  const place = view.membership?.value.members[member];
  const show = `capstan cluster show ${view.name}`;
  if (place === undefined) {
    return action === 'promote'
      ? refusal('member_not_found', `${member} is no member of ${view.name}`, `capstan member add ${member}`)
      : undefined;
  }
  if (place.region !== region)
    return refusal('member_region_differs', `${member} is in ${place.region}, not in ${region}`, show);
  return undefined;
}

function refusedLeader({ view, member }: RefusalInputs): MembershipRefusal | undefined {
  if (view.authority?.value.leader !== member) return undefined;
  return refusal(
    'member_leads',
    `${member} leads ${view.name}: it stays a voter as long as it does`,
    `hand over first: capstan failover run ${view.name}`,
  );
}

/** What it holds may be all that is left of confirmed decisions. */
function refusedLoss({ view, member }: RefusalInputs): MembershipRefusal | undefined {
  const loss = [...view.losses.values()].find(
    ({ value }) => value.status === 'open' && value.members[member]?.state === 'pending',
  )?.value;
  if (loss === undefined) return undefined;
  return refusal(
    'loss_unsalvaged',
    `${member} may hold decisions that ${loss.operation} lost, and they are not salvaged yet`,
    `capstan operation show ${loss.operation}`,
  );
}

/** Those who would stay when this member goes: voters of the membership beside the leader, and those of them in sync. */
export function votersWithout(view: ClusterView, member: string) {
  const leader = view.authority?.value.leader;
  const voters = Object.entries(view.membership?.value.members ?? {})
    .filter(([name, { role }]) => role === 'voter' && name !== leader && name !== member)
    .map(([name]) => name);
  const recorded = view.inSync?.value.voters.map((voter) => voter.member) ?? [];
  return { voters, inSync: voters.filter((name) => recorded.includes(name)) };
}

function refusedLastVoter({ view, member, acceptDegraded }: RefusalInputs): MembershipRefusal | undefined {
  if (view.membership?.value.members[member]?.role !== 'voter') return undefined;
  if (view.authority?.value.leader === member) return undefined;
  const { voters, inSync } = votersWithout(view, member);
  if (voters.length === 0) {
    if (acceptDegraded) return undefined;
    return refusal(
      'last_voter',
      `${member} is the last voter beside the leader: without it ${view.name} is degraded, and losing the leader loses confirmed decisions`,
      `add another voter first (capstan member add), or capstan member remove ${member} --accept-degraded`,
      '--accept-degraded',
    );
  }
  const isRecorded = view.inSync?.value.voters.some((voter) => voter.member === member) === true;
  if (inSync.length > 0 || !isRecorded) return undefined;
  return refusal(
    'last_voter_in_sync',
    `${member} is the only voter in sync: decisions would wait until ${voters.join(', ')} ${voters.length === 1 ? 'is' : 'are'}`,
    `wait until another voter is in sync: capstan cluster show ${view.name}`,
  );
}
