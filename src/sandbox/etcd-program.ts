import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { unreachableError } from '../domain/errors.ts';

const VERSION_TIMEOUT_MS = 5_000;
/** Package managers put it here even where a user's PATH lacks the folder. */
const USUAL_FOLDERS = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin', '/usr/sbin'];
const run = promisify(execFile);

export interface EtcdProgram {
  readonly path: string;
  readonly version: string;
}

/** Finds the etcd server program. Throws CapstanError `etcd_missing` (exit 7) with the install command. */
export async function findEtcdProgram(): Promise<EtcdProgram> {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const folder of new Set([...onPath, ...USUAL_FOLDERS])) {
    const path = join(folder, 'etcd');
    try {
      await access(path, constants.X_OK);
      const { stdout } = await run(path, ['--version'], { timeout: VERSION_TIMEOUT_MS });
      const version = /etcd Version: (\S+)/.exec(stdout)?.[1];
      if (version !== undefined) return { path, version };
    } catch {
      // Not here, or not a program that runs here.
    }
  }
  throw unreachableError('no etcd server found on this machine', {
    code: 'etcd_missing',
    retryable: false,
    next: 'Debian/Ubuntu: sudo apt-get install -y etcd-server · Homebrew: brew install etcd',
  });
}
