import { chown, mkdir, readFile } from 'node:fs/promises';
import { usageError } from '../domain/errors.ts';

/** The operating system's account that Postgres runs under. */
export interface OsAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** Spread into the options of `spawn`, `execFile` or execa. Empty when there is nothing to drop. */
export interface SpawnIdentity {
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * The account to drop to: undefined unless this process is root (Postgres's programs refuse root, and nobody else may
 * change account). Throws CapstanError `os_user_missing` (exit 2) when root and there is no such user.
 */
export async function osAccount(osUser: string): Promise<OsAccount | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const row = (await linesOf('/etc/passwd')).find(([name]) => name === osUser);
  const [, , uid, gid, , home] = row ?? [];
  if (uid === undefined || gid === undefined) throw missing(osUser, 'is not in /etc/passwd');
  const account = { name: osUser, uid: Number(uid), gid: Number(gid), home: home ?? '/' };
  if (account.uid === 0) throw missing(osUser, 'is root itself');
  return Object.freeze(account);
}

export const spawnIdentity = (account: OsAccount | undefined): SpawnIdentity =>
  account === undefined ? {} : { uid: account.uid, gid: account.gid };

/** The environment of a process under the account: this one's, but its home (Postgres looks there for key files). */
export const spawnEnvironment = (account: OsAccount | undefined): NodeJS.ProcessEnv =>
  account === undefined ? process.env : { ...process.env, HOME: account.home, USER: account.name };

/** Makes a folder (and its parents, as they come) that the account owns and nobody else reads. */
export async function ownedFolder(path: string, account: OsAccount | undefined): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  if (account !== undefined) await chown(path, account.uid, account.gid);
}

async function linesOf(path: string): Promise<string[][]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').map((line) => line.split(':'));
}

function missing(osUser: string, why: string): Error {
  return usageError(`Postgres refuses to run as root, and the user ${JSON.stringify(osUser)} ${why}`, {
    code: 'os_user_missing',
    next: 'create it (useradd --system postgres), or name another in postgres.osUser',
  });
}
