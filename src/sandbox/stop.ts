import { setTimeout as delay } from 'node:timers/promises';
import { partialError } from '../domain/errors.ts';
import { readDaemonRecord, signalAll, waitForEnd } from './daemon.ts';
import type { SandboxPaths } from './folders.ts';
import { inspectProcesses } from './inspect.ts';
import { commandLineOf, isRunning, type ProcessIdentity, processesUnder } from './process-table.ts';
import { nodesOf, readSandboxState } from './state.ts';

const POSTGRES_END_MS = 5_000;
const GRACEFUL_END_MS = 20_000;
const STRAYS_END_MS = 10_000;
const ROUND_MS = 1_000;

/** Ends everything of the sandbox at once; its data is to be thrown away. Returns how many processes there were. */
export async function endAllProcesses(paths: SandboxPaths): Promise<number> {
  const inspected = await inspectProcesses(paths);
  const count = inspected.reduce((sum, { all }) => sum + all.length, 0);
  const postmasters = inspected.flatMap(({ postgres }) => postmasterOf(postgres));
  // Whoever would restart something ends first.
  const daemons = inspected.flatMap(({ all, postgres }) =>
    all.filter(({ pid }) => !postgres.some((own) => own.pid === pid)),
  );
  await signalAll(daemons, 'SIGKILL');
  // An immediate shutdown, unlike a kill, gives shared memory back. A paused server must wake to do it.
  await signalAll(postmasters, 'SIGQUIT');
  await signalAll(
    inspected.flatMap(({ postgres }) => postgres),
    'SIGCONT',
  );
  await waitForEnd(postmasters, POSTGRES_END_MS);
  await endStrays(paths);
  return count;
}

/** Ends everything in order, so that the data stays good: gateways, projectors and what they write, agents (which stop Postgres), etcd, link. */
export async function stopAllProcesses(paths: SandboxPaths): Promise<number> {
  const inspected = await inspectProcesses(paths);
  const count = inspected.reduce((sum, { all }) => sum + all.length, 0);
  await signalAll(
    inspected.flatMap(({ all }) => all),
    'SIGCONT',
  );
  for (const kind of ['gateway', 'projector', 'projections', 'member', 'etcd', 'link'] as const) {
    const daemons = inspected
      .filter(({ node }) => node.kind === kind)
      .flatMap(({ daemon, postgres }): readonly ProcessIdentity[] =>
        daemon === undefined ? postmasterOf(postgres) : [daemon],
      );
    await signalAll(daemons, kind === 'member' || kind === 'projections' ? 'SIGINT' : 'SIGTERM');
    await waitForEnd(daemons, GRACEFUL_END_MS);
  }
  await endStrays(paths);
  return count;
}

const postmasterOf = <T extends { pid: number; parent: number }>(postgres: readonly T[]): T[] =>
  postgres.filter(({ parent }) => !postgres.some(({ pid }) => pid === parent));

/** Kills until nothing works in the sandbox's folder. Throws CapstanError `sandbox_processes_left` (exit 6). */
async function endStrays(paths: SandboxPaths): Promise<void> {
  const deadline = performance.now() + STRAYS_END_MS;
  for (;;) {
    const placed = (await processesUnder(paths.folder)).filter(({ pid }) => pid !== process.pid);
    const strays: ProcessIdentity[] = [...placed, ...(await recordedElsewhere(paths))];
    if (strays.length === 0) return;
    if (performance.now() > deadline) {
      const lines = await Promise.all(
        strays.map(async ({ pid }) => `${pid} ${(await commandLineOf(pid)).slice(0, 120)}`),
      );
      throw partialError(`${strays.length} processes of the sandbox ${paths.name} can't be ended`, {
        code: 'sandbox_processes_left',
        next: `end them by hand: ${lines.join('; ')}`,
        data: { processes: lines },
      });
    }
    await signalAll(strays, 'SIGKILL');
    await waitForEnd(strays, ROUND_MS);
    await delay(0);
  }
}

/** Recorded processes that changed their working directory. */
async function recordedElsewhere(paths: SandboxPaths): Promise<ProcessIdentity[]> {
  const found: ProcessIdentity[] = [];
  for (const { name } of nodesOf(await readSandboxState(paths).catch(() => undefined))) {
    const record = await readDaemonRecord(paths, name);
    if (record !== undefined && (await isRunning(record))) found.push(record);
  }
  return found;
}
