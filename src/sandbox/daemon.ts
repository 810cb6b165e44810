import { spawn } from 'node:child_process';
import { mkdir, open, readdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, unreachableError } from '../domain/errors.ts';
import type { SpawnIdentity } from '../postgres/run-as.ts';
import type { SandboxPaths } from './folders.ts';
import { isRunning, type ProcessIdentity, readProcess } from './process-table.ts';
import { writeJson } from './state.ts';

export interface DaemonCommand {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** The account that it runs under; default: this process's. */
  readonly identity?: SpawnIdentity;
}

/** A process as it was recorded when it was started. */
export interface DaemonRecord extends ProcessIdentity {
  readonly name: string;
  readonly since: string;
}

const LOG_TAIL_LINES = 12;
const LOG_TAIL_BYTES = 8_192;
const END_POLL_MS = 25;
const STDERR = 2;
const DESCRIPTOR_MAX = 1_023;
/** fcntl(2); not among Node's constants. */
const O_CLOEXEC = 0o2000000;

/**
 * Starts a process in a session of its own, so that it outlives this one and no Ctrl-C reaches it, with its folder as
 * working directory and its output in its log. Throws CapstanError `sandbox_spawn_failed` (exit 7).
 */
export async function startDaemon(paths: SandboxPaths, command: DaemonCommand): Promise<DaemonRecord> {
  const { name, program, args, environment, identity = {} } = command;
  const cwd = paths.home(name);
  await mkdir(cwd, { recursive: true, mode: 0o755 });
  await mkdir(paths.logs, { recursive: true });
  const log = await open(paths.log(name), 'a', 0o644);
  const nothing = await open('/dev/null', 'r+');
  try {
    const child = spawn(program, args, {
      cwd,
      env: environment,
      ...identity,
      detached: true,
      stdio: [nothing.fd, log.fd, log.fd, ...(await inheritedDescriptors()).map(() => nothing.fd)],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const { pid } = child;
    const entry = pid === undefined ? undefined : await readProcess(pid);
    const record = {
      name,
      pid: pid ?? 0,
      startedAt: entry?.startedAt ?? '',
      since: new Date().toISOString(),
    };
    await mkdir(dirname(paths.record(name)), { recursive: true });
    await writeJson(paths.record(name), record);
    return record;
  } catch (error) {
    throw unreachableError(`${name} can't be started: ${messageOf(error)}`, {
      code: 'sandbox_spawn_failed',
      cause: error,
      data: { program },
    });
  } finally {
    await Promise.all([log.close(), nothing.close()]);
  }
}

/**
 * A shell or a job runner may have left descriptors open in this process (a pipe, a lock). A daemon that kept them would
 * keep their other ends waiting for as long as it lives: every one from 3 to the highest of them is to be covered.
 */
async function inheritedDescriptors(): Promise<number[]> {
  if (process.platform !== 'linux') return [];
  let highest = STDERR;
  for (const name of await readdir('/proc/self/fd')) {
    const facts = await readFile(`/proc/self/fdinfo/${name}`, 'utf8').catch(() => '');
    const flags = /^flags:\s*([0-7]+)/m.exec(facts)?.[1];
    const inherited = flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) === 0;
    if (inherited && Number(name) <= DESCRIPTOR_MAX) highest = Math.max(highest, Number(name));
  }
  return Array.from({ length: highest - STDERR }, (_, index) => index + STDERR + 1);
}

/** The record of a process's last start, whether it runs or not. */
export async function readDaemonRecord(paths: SandboxPaths, name: string): Promise<DaemonRecord | undefined> {
  try {
    return JSON.parse(await readFile(paths.record(name), 'utf8')) as DaemonRecord;
  } catch {
    return undefined;
  }
}

/** The recorded process, if that very one still runs. */
export async function runningDaemon(paths: SandboxPaths, name: string): Promise<DaemonRecord | undefined> {
  const record = await readDaemonRecord(paths, name);
  return record !== undefined && (await isRunning(record)) ? record : undefined;
}

/**
 * Sends a signal to each process that still is the one meant, without a pause in between: to a family, it comes at
 * once. Returns how many it reached.
 */
export async function signalAll(
  targets: readonly ProcessIdentity[],
  signal: NodeJS.Signals,
): Promise<number> {
  const running = await Promise.all(targets.map(isRunning));
  let reached = 0;
  for (const [index, { pid }] of targets.entries()) {
    if (running[index] !== true) continue;
    try {
      process.kill(pid, signal);
      reached += 1;
    } catch (error) {
      // It ended in between; anything else (no permission) must show.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  return reached;
}

/** Waits until none of these processes runs; returns those that still do at the deadline. */
export async function waitForEnd<T extends ProcessIdentity>(
  targets: readonly T[],
  timeoutMs: number,
): Promise<T[]> {
  const deadline = performance.now() + timeoutMs;
  let left = [...targets];
  for (;;) {
    const running = await Promise.all(left.map(isRunning));
    left = left.filter((_, index) => running[index]);
    if (left.length === 0 || performance.now() > deadline) return left;
    await delay(END_POLL_MS);
  }
}

/** The last lines of a process's log, for an error that names it. */
export async function logTail(paths: SandboxPaths, name: string): Promise<string[]> {
  try {
    const file = await open(paths.log(name), 'r');
    try {
      const { size } = await file.stat();
      const length = Math.min(size, LOG_TAIL_BYTES);
      const { buffer } = await file.read({ buffer: Buffer.alloc(length), position: size - length });
      return buffer.toString('utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES);
    } finally {
      await file.close();
    }
  } catch {
    return [];
  }
}
