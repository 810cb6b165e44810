import { hostname, userInfo } from 'node:os';

const ACTOR_CHARS_MAX = 120;

/**
 * Who makes a change, for the audit log: `CAPSTAN_ACTOR` where it is set (a pipeline naming its person), else
 * `user@host`. It is a record, not an authentication.
 */
export function currentActor(env: NodeJS.ProcessEnv = process.env): string {
  const named = env['CAPSTAN_ACTOR']?.trim();
  const actor = named === undefined || named === '' ? `${userName()}@${hostname()}` : named;
  return actor.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, ACTOR_CHARS_MAX);
}

/** The actor in the spelling that the decision contract takes for a desk. */
export const deskOf = (actor: string): string =>
  actor
    .replaceAll(/[^A-Za-z0-9._:@+-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 128);

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container's user id may have no name.
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
