import { execFile } from 'node:child_process';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf, unreachableError } from '../domain/errors.ts';
import type { PostgresBinaries } from './binaries.ts';
import { osAccount, ownedFolder, spawnEnvironment, spawnIdentity } from './run-as.ts';

const run = promisify(execFile);

/** The superuser's name in every member of an estate. */
export const SUPERUSER = 'capstan_super';

export interface InitDatabaseOptions {
  readonly binaries: PostgresBinaries;
  readonly dataDir: string;
  readonly osUser: string;
  readonly superuser?: string;
  readonly superuserPassword: string;
  readonly timeoutMs?: number;
}

/**
 * Makes an empty data directory: checksums, UTF-8, locale C, SCRAM for every connection. The password passes through
 * a file that only the account reads. Throws CapstanError `initdb_failed` (exit 7) with the program's own words.
 */
export async function initDatabase(options: InitDatabaseOptions): Promise<void> {
  const { binaries, dataDir, osUser, superuser = SUPERUSER, superuserPassword, timeoutMs = 60_000 } = options;
  const account = await osAccount(osUser);
  await ownedFolder(dataDir, account);
  const secretFolder = await mkdtemp(join(tmpdir(), 'capstan-init-'));
  try {
    const passwordFile = join(secretFolder, 'password');
    await writeFile(passwordFile, `${superuserPassword}\n`, { mode: 0o600 });
    if (account !== undefined) {
      await Promise.all([secretFolder, passwordFile].map((path) => chown(path, account.uid, account.gid)));
    }
    const args = [
      ['--pgdata', dataDir],
      ['--username', superuser],
      ['--pwfile', passwordFile],
      ['--auth', 'scram-sha-256'],
      ['--encoding', 'UTF8'],
      ['--locale', 'C'],
      ['--data-checksums'],
    ].flat();
    await run(binaries.path('initdb'), args, {
      ...spawnIdentity(account),
      env: spawnEnvironment(account),
      cwd: '/',
      timeout: timeoutMs,
    });
  } catch (error) {
    throw unreachableError(`initdb of ${dataDir} failed: ${messageOf(error)}`, {
      code: 'initdb_failed',
      retryable: false,
      cause: error,
    });
  } finally {
    await rm(secretFolder, { recursive: true, force: true });
  }
}
