import type { Voter } from '../domain/records.ts';

/**
 * A follower's `application_name`: member and incarnation, so that a member which was cloned anew can't stand in for the
 * data that it lost. Member names hold no underscore and Postgres keeps 63 bytes.
 */
export const followerName = ({ member, incarnation }: Voter): string => `${member}_${incarnation}`;

/** The follower behind an `application_name`; undefined when it isn't one of ours. */
export function parseFollowerName(name: string): Voter | undefined {
  const match = /^([a-z][a-z0-9-]{0,39})_([0-9a-f]{4,20})$/.exec(name);
  const [, member, incarnation] = match ?? [];
  return member === undefined || incarnation === undefined ? undefined : { member, incarnation };
}

/** Follows no one, ever: while it is required, no commit is acknowledged. */
export const BARRIER_NAME = 'capstan_barrier';

/** `ANY n ("a_1", …)` over exactly these voters, in a fixed order; empty for none. */
export function syncNames(voters: readonly Voter[]): string {
  const names = voters.map(followerName).toSorted();
  return names.length === 0 ? '' : `ANY ${names.length} (${names.map((name) => `"${name}"`).join(', ')})`;
}

/** The setting under which every commit waits: in force whenever the recorded set isn't. */
export const BARRIER_NAMES = `ANY 1 ("${BARRIER_NAME}")`;
