import { spawn } from 'node:child_process';
import { chown, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type OsAccount,
  osAccount,
  ownedFolder,
  spawnEnvironment,
  spawnIdentity,
} from '../../src/postgres/run-as.ts';
import { sweepSharedMemory } from '../../src/sandbox/shared-memory.ts';
import { killEverythingIn } from './host-death.ts';

/** Postgres refuses root, and what starts Postgres must not be root either. */
const OS_USER = 'postgres';

/** A temporary folder of an ordinary account, with the processes that work in it. */
export class Workshop {
  readonly folder: string;
  readonly #account: OsAccount | undefined;
  readonly #since = new Date();

  private constructor(folder: string, account: OsAccount | undefined) {
    this.folder = folder;
    this.#account = account;
  }

  static async open(): Promise<Workshop> {
    const account = await osAccount(OS_USER);
    const folder = await mkdtemp(join(tmpdir(), 'capstan-bench-'));
    await ownedFolder(folder, account);
    return new Workshop(folder, account);
  }

  /** Makes the working folder of one process; all that the process starts stays below it. */
  async home(name: string): Promise<string> {
    const home = join(this.folder, name);
    await ownedFolder(home, this.#account);
    return home;
  }

  async write(path: string, text: string): Promise<void> {
    await writeFile(path, text, { mode: 0o600 });
    if (this.#account !== undefined) await chown(path, this.#account.uid, this.#account.gid);
  }

  /** Starts a process in a session of its own, so that a Ctrl-C meets this program alone; its output goes to `<home>/log`. */
  async start(home: string, program: string, args: readonly string[]): Promise<void> {
    const log = await open(join(home, 'log'), 'a');
    try {
      const child = spawn(program, args, {
        cwd: home,
        env: { ...spawnEnvironment(this.#account), PATH: '/usr/bin:/bin' },
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
        ...spawnIdentity(this.#account),
      });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
      child.unref();
    } finally {
      await log.close();
    }
  }

  /** Ends everything in the folder and removes it, with what a killed Postgres leaves in memory. */
  async close(): Promise<void> {
    await killEverythingIn(this.folder);
    const uid = this.#account?.uid ?? process.getuid?.();
    if (uid !== undefined) await sweepSharedMemory({ since: this.#since, uid });
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
