/**
 * A vitest globalSetup that fails the run when a process started by a test outlives it. A process belongs to the run
 * when its working directory lies under the run's root (`CAPSTAN_TEST_ROOT`; put every data directory there) or when it
 * inherited the run's mark (`CAPSTAN_TEST_RUN`). Leftovers are named, killed by pid, and the run fails.
 */
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  commandLineOf,
  listProcesses,
  type ProcessEntry,
  processesUnder,
} from '../../src/sandbox/process-table.ts';

/** A process that was told to end may need a moment; what is alive after this has leaked. */
const GRACE_MS = 3_000;

interface Run {
  readonly root: string;
  readonly mark: string;
  users: number;
}

const RUN = Symbol.for('capstan.test.run');
const shared = globalThis as { [RUN]?: Run };

export default function setup(): () => Promise<void> {
  // Several projects in one vitest process share one root.
  const run = (shared[RUN] ??= begin());
  run.users += 1;
  return async () => {
    run.users -= 1;
    const leaked = await leftovers(run);
    const names = await Promise.all(
      leaked.map(async ({ pid }) => `  ${pid} ${(await commandLineOf(pid)).slice(0, 160)}`),
    );
    for (const { pid } of leaked) kill(pid);
    if (run.users === 0) rmSync(run.root, { recursive: true, force: true, maxRetries: 5 });
    if (leaked.length === 0) return;
    process.exitCode = 1;
    throw new Error(`the tests left ${leaked.length} process(es) behind:\n${names.join('\n')}`);
  };
}

function begin(): Run {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'capstan-test-')));
  // The postgres user must be able to enter it when the tests run as root.
  chmodSync(root, 0o755);
  const mark = randomUUID();
  process.env['CAPSTAN_TEST_ROOT'] = root;
  process.env['CAPSTAN_TEST_RUN'] = mark;
  return { root, mark, users: 0 };
}

async function leftovers(run: Run): Promise<ProcessEntry[]> {
  const deadline = Date.now() + GRACE_MS;
  for (;;) {
    const found = await owned(run);
    if (found.length === 0 || Date.now() > deadline) return found;
    await delay(50);
  }
}

async function owned({ root, mark }: Run): Promise<ProcessEntry[]> {
  const under = await processesUnder(root);
  const marked = (await listProcesses()).filter(({ pid }) => hasMark(pid, mark));
  const byPid = new Map([...under, ...marked].map((entry) => [entry.pid, entry]));
  // vitest's own workers inherit the mark too: they are this process's direct children.
  return [...byPid.values()].filter(({ pid, parent }) => pid !== process.pid && parent !== process.pid);
}

function hasMark(pid: number, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`CAPSTAN_TEST_RUN=${mark}`);
  } catch {
    // Another user's process, one that has ended, or a system without /proc: the working directory tells then.
    return false;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
