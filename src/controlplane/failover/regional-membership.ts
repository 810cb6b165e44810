import type { MembershipRecord } from '../../domain/records.ts';
import { type MembershipChanges, roleIn } from '../membership/next-membership.ts';

/**
 * What becomes of the members when one of another region leads: those of its region vote, the others observe, and learners
 * stay learners. Pure.
 */
export function rolesAround(membership: MembershipRecord, leader: string): MembershipChanges {
  const leaderRegion = membership.members[leader]?.region ?? '';
  return Object.fromEntries(
    Object.entries(membership.members)
      .filter(([, { role }]) => role !== 'learner')
      .map(([member, { region }]) => [member, { region, role: roleIn(region, leaderRegion) }]),
  );
}
