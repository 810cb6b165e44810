import { type CapstanError, refusedError, usageError } from '../../domain/errors.ts';
import { isName, NAME_RULE } from '../../domain/identifiers.ts';
import type { MemberRole, MembershipRecord } from '../../domain/records.ts';

/** A member's place in its cluster. */
export interface MemberPlace {
  readonly region: string;
  readonly role: MemberRole;
}

/** What becomes of members, by name; null: out of the membership. Who isn't named stays as it is. */
export type MembershipChanges = Readonly<Record<string, MemberPlace | null>>;

export interface NextMembershipInput {
  readonly membership: MembershipRecord;
  /** Who leads, or will once this membership is committed. */
  readonly leader: string;
  readonly changes: MembershipChanges;
}

/**
 * The membership after the changes, one epoch later; the very same record when they change nothing. Pure. A member comes in
 * and goes out as a learner only, so whether it votes is settled by an epoch of its own. Throws `member_leads`,
 * `member_not_learner`, `member_region_differs`, `role_not_in_region` (exit 4), `name_invalid` (exit 2).
 */
export function nextMembership({ membership, leader, changes }: NextMembershipInput): MembershipRecord {
  const members: Record<string, MemberPlace> = { ...membership.members };
  const regionOf = (member: string) => changes[member]?.region ?? membership.members[member]?.region;
  let changed = false;
  for (const [member, next] of Object.entries(changes)) {
    const before = membership.members[member];
    if (before?.role === next?.role && before?.region === next?.region) continue;
    refuseMove({ member, before, next, leader, leaderRegion: regionOf(leader) });
    changed = true;
    if (next === null) delete members[member];
    else members[member] = { region: next.region, role: next.role };
  }
  return changed ? { epoch: membership.epoch + 1, members } : membership;
}

interface Move {
  readonly member: string;
  readonly before: MemberPlace | undefined;
  readonly next: MemberPlace | null;
  readonly leader: string;
  readonly leaderRegion: string | undefined;
}

function refuseMove({ member, before, next, leader, leaderRegion }: Move): void {
  if (!isName(member))
    throw usageError(`${JSON.stringify(member)} is not a name (${NAME_RULE})`, { code: 'name_invalid' });
  if (member === leader && next?.role !== 'voter')
    throw refused('member_leads', `${member} leads: it stays a voter of the membership`, member);
  if (next === null) {
    if (before?.role === 'learner') return;
    throw refused(
      'member_not_learner',
      `${member} is a ${before?.role}: it leaves as a learner only`,
      member,
    );
  }
  if (before === undefined && next.role !== 'learner')
    throw refused('member_not_learner', `${member} is new: it comes in as a learner only`, member);
  if (before !== undefined && before.region !== next.region)
    throw refused(
      'member_region_differs',
      `${member} is in ${before.region}, not in ${next.region}: a member doesn't move`,
      member,
    );
  if (next.role === 'voter' && next.region !== leaderRegion)
    throw refused(
      'role_not_in_region',
      `${member} is in ${next.region}: voters are in ${leaderRegion ?? 'no region'}, where ${leader} leads`,
      member,
    );
  if (next.role === 'observer' && next.region === leaderRegion)
    throw refused(
      'role_not_in_region',
      `${member} is in ${next.region}, where ${leader} leads: observers are elsewhere`,
      member,
    );
}

const refused = (code: string, message: string, member: string): CapstanError =>
  refusedError(message, { code, next: 'capstan member list', data: { member } });

/** What a member is once it has caught up, by its region. */
export const roleIn = (region: string, leaderRegion: string): Exclude<MemberRole, 'learner'> =>
  region === leaderRegion ? 'voter' : 'observer';
