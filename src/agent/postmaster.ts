import { readFileSync, readlinkSync } from 'node:fs';
import { readdir, readFile, readlink, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readIfThere } from './durable-file.ts';

/** Whether a process still runs. One that has ended and only waits to be reaped has ended. (proc(5).) */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const stat = statOf(pid);
  if (stat === undefined) return process.platform !== 'linux';
  const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  return state !== 'Z' && state !== 'X';
}

/** At once: the kernel answers from memory, and an agent asks several times a second. */
function statOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
}

/** The file that a running postmaster keeps in its data directory, as far as we read it. */
interface PidFile {
  readonly pid: number;
  /** `ready`, `standby`, `starting`, `stopping`. */
  readonly status: string;
}

const PID_FILE = 'postmaster.pid';
const STATUS_LINE = 7;

export async function readPidFile(dataDir: string): Promise<PidFile | undefined> {
  const text = await readIfThere(join(dataDir, PID_FILE));
  const lines = text?.split('\n') ?? [];
  const pid = Number(lines[0]);
  return Number.isSafeInteger(pid) && pid > 1 ? { pid, status: lines[STATUS_LINE]?.trim() ?? '' } : undefined;
}

/**
 * The process id of the Postgres that runs on this data directory, whoever started it. A pid file whose process has ended,
 * or is another program by now (its working directory is elsewhere), is removed: it would stop the next start.
 */
export async function findPostmaster(dataDir: string): Promise<PidFile | undefined> {
  const found = await readPidFile(dataDir);
  if (found === undefined) return undefined;
  if ((await isAlive(found.pid)) && (await worksIn(found.pid, dataDir))) return found;
  await rm(join(dataDir, PID_FILE), { force: true });
  return undefined;
}

async function worksIn(pid: number, dataDir: string): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  try {
    const folder = readlinkSync(`/proc/${pid}/cwd`);
    return folder === dataDir || folder === (await realpath(dataDir));
  } catch (error) {
    // Another user's process may be the one: then it is safer to believe the file.
    return (error as NodeJS.ErrnoException).code === 'EACCES';
  }
}

export type ShutdownMode = 'fast' | 'immediate';
/** Postgres docs, "Shutting Down the Server". */
const SIGNALS = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

export interface StopOptions {
  readonly dataDir: string;
  readonly pid: number;
  readonly mode: ShutdownMode;
  /** How long the first signal gets, then an immediate shutdown, then the kill. */
  readonly stepMs: number;
}

/**
 * Ends a Postgres for certain: `fast`, then `immediate`, then SIGKILL, each with its time; at the end no process of that
 * data directory is left (a backend that is stopped with SIGSTOP would keep the shared memory and block the next start).
 */
export async function stopPostmaster({ dataDir, pid, mode, stepMs }: StopOptions): Promise<void> {
  const steps = mode === 'fast' ? ([SIGNALS.fast, SIGNALS.immediate] as const) : [SIGNALS.immediate];
  for (const signal of steps) {
    send(pid, signal);
    if (!(await endsWithin(pid, stepMs))) continue;
    // A fast shutdown ends only after all of its processes have.
    if (signal === SIGNALS.fast) return void (await findPostmaster(dataDir));
    break;
  }
  if (await isAlive(pid)) {
    send(pid, 'SIGKILL');
    await endsWithin(pid, stepMs);
  }
  await killLeftovers(dataDir);
  await findPostmaster(dataDir);
}

export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

async function endsWithin(pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (await isAlive(pid)) {
    if (performance.now() > deadline) return false;
    await delay(5);
  }
  return true;
}

/**
 * Children of a postmaster that is gone work in its data directory; they end by themselves unless they are stopped. Answers
 * whether none is left: where processes can't be listed, nobody knows.
 */
export async function killLeftovers(dataDir: string): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  const folder = await realpath(dataDir).catch(() => undefined);
  if (folder === undefined) return true;
  const deadline = performance.now() + 2_000;
  for (;;) {
    const left = await processesIn(folder);
    if (left.length === 0) return true;
    if (performance.now() > deadline) return false;
    // What ends by itself gets the time to do so.
    if (performance.now() > deadline - 1_500) for (const pid of left) send(pid, 'SIGKILL');
    await delay(25);
  }
}

async function processesIn(folder: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const working = await Promise.all(
    pids.map(async (pid) => {
      if (pid === process.pid) return false;
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
      if (cwd !== folder) return false;
      const program = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
      return program.trim() === 'postgres' && (await isAlive(pid));
    }),
  );
  return pids.filter((_, index) => working[index]);
}

const BUILDERS: ReadonlySet<string> = new Set(['pg_basebackup', 'initdb', 'postgres']);

/** Ends what an agent that was killed left building this data directory: it would write into the next attempt. */
export async function killBuilders(dataDir: string): Promise<void> {
  if (process.platform !== 'linux') return;
  const deadline = performance.now() + 3_000;
  for (;;) {
    const left = await buildersOf(dataDir);
    if (left.length === 0 || performance.now() > deadline) return;
    for (const pid of left) send(pid, 'SIGKILL');
    await delay(25);
  }
}

async function buildersOf(dataDir: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const building = await Promise.all(
    pids.map(async (pid) => {
      const program = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
      if (!BUILDERS.has(program.trim())) return false;
      const args = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return args.split('\0').includes(dataDir) && (await isAlive(pid));
    }),
  );
  return pids.filter((_, index) => building[index]);
}
