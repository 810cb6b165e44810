import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CapstanError, ExitCode, messageOf, unreachableError } from '../domain/errors.ts';
import type { PostgresBinaries } from './binaries.ts';
import { osAccount, spawnEnvironment, spawnIdentity } from './run-as.ts';

/** `smart` waits for clients, `fast` ends them and checkpoints, `immediate` stops as a crash would. */
export type StopMode = 'smart' | 'fast' | 'immediate';

/** Postgres's own meaning of the signals (Postgres docs, "Shutting Down the Server"). */
const SIGNALS = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

const READY_POLL_MS = 20;
/** In postmaster.pid, by line number (Postgres's `miscadmin.h`): process id, port, status. */
const PID_LINE = 0;
const STATUS_LINE = 7;

export interface ServerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running postmaster: a child of this process, reaped by it. */
export interface ServerProcess {
  readonly pid: number;
  /** Settles once, when the postmaster has ended; never rejects. */
  readonly exited: Promise<ServerExit>;
  /** Undefined while it runs. */
  readonly exit: ServerExit | undefined;
  /** Waits until it accepts connections; throws `postgres_start_failed` (exit 7) with the log's end. */
  waitReady(options: { timeoutMs: number }): Promise<void>;
  /** Asks it to stop and waits; throws `postgres_stop_timeout` (exit 7) if it still runs after `timeoutMs`. */
  stop(mode: StopMode, options?: { timeoutMs?: number }): Promise<ServerExit>;
  /** Sends any signal, e.g. SIGHUP to reload or SIGKILL. False if it has ended. */
  signal(signal: NodeJS.Signals): boolean;
}

export interface StartServerOptions {
  readonly binaries: PostgresBinaries;
  readonly dataDir: string;
  /** All configuration lives outside the data directory: pg_rewind and pg_basebackup overwrite what is inside. */
  readonly configFile: string;
  readonly hbaFile?: string;
  readonly identFile?: string;
  readonly logFile: string;
  readonly osUser: string;
  /** Wins over the configuration file. */
  readonly settings?: Readonly<Record<string, string>>;
  /** True: its own session, so that it outlives a terminal's Ctrl-C and its starter's process group. */
  readonly detached?: boolean;
}

/**
 * Starts `postgres` in the foreground as a child of this process. It returns as soon as the process exists; await
 * `waitReady`. A daemonised postmaster that is killed may never be reaped, and then refuses to restart.
 */
export async function startServer(options: StartServerOptions): Promise<ServerProcess> {
  const { binaries, dataDir, configFile, hbaFile, identFile, logFile, osUser, detached = false } = options;
  const { settings = {} } = options;
  const account = await osAccount(osUser);
  const args = ['-D', dataDir, '-c', `config_file=${configFile}`];
  if (hbaFile !== undefined) args.push('-c', `hba_file=${hbaFile}`);
  if (identFile !== undefined) args.push('-c', `ident_file=${identFile}`);
  for (const [name, value] of Object.entries(settings)) args.push('-c', `${name}=${value}`);
  const log = await open(logFile, 'a');
  try {
    const child = spawn(binaries.path('postgres'), args, {
      ...spawnIdentity(account),
      env: spawnEnvironment(account),
      cwd: dataDir,
      detached,
      stdio: ['ignore', log.fd, log.fd],
    });
    await once(child, 'spawn').catch((error: unknown) => {
      throw startFailed(`${binaries.path('postgres')}: ${messageOf(error)}`, error);
    });
    if (child.pid === undefined) throw startFailed('the process has no id');
    return new Postmaster({ child, pid: child.pid, dataDir, logFile });
  } finally {
    await log.close();
  }
}

interface PostmasterParts {
  readonly child: ReturnType<typeof spawn>;
  readonly pid: number;
  readonly dataDir: string;
  readonly logFile: string;
}

class Postmaster implements ServerProcess {
  readonly pid: number;
  readonly exited: Promise<ServerExit>;
  readonly #parts: PostmasterParts;
  #exit: ServerExit | undefined;

  constructor(parts: PostmasterParts) {
    this.#parts = parts;
    this.pid = parts.pid;
    this.exited = new Promise((resolve) => {
      parts.child.once('exit', (code, signal) => {
        this.#exit = Object.freeze({ code, signal });
        resolve(this.#exit);
      });
    });
  }

  get exit(): ServerExit | undefined {
    return this.#exit;
  }

  async waitReady({ timeoutMs }: { timeoutMs: number }): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while ((await this.#status()) !== 'ready') {
      if (this.#exit !== undefined) throw startFailed(`postgres ended: ${await this.#logEnd()}`);
      if (performance.now() > deadline) {
        throw startFailed(`postgres was not ready in ${timeoutMs} ms: ${await this.#logEnd()}`);
      }
      await delay(READY_POLL_MS);
    }
  }

  async stop(mode: StopMode, options: { timeoutMs?: number } = {}): Promise<ServerExit> {
    const timeoutMs = options.timeoutMs ?? 30_000;
    this.signal(SIGNALS[mode]);
    const abort = new AbortController();
    const late = delay(timeoutMs, undefined, { signal: abort.signal }).catch(() => undefined);
    const exit = await Promise.race([this.exited, late]);
    abort.abort();
    if (exit !== undefined) return exit;
    throw new CapstanError(`postgres (process ${this.pid}) did not stop in ${timeoutMs} ms (${mode})`, {
      code: 'postgres_stop_timeout',
      exit: ExitCode.unreachable,
      retryable: true,
    });
  }

  signal(signal: NodeJS.Signals): boolean {
    return this.#exit === undefined && this.#parts.child.kill(signal);
  }

  async #status(): Promise<string | undefined> {
    const text = await readFile(join(this.#parts.dataDir, 'postmaster.pid'), 'utf8').catch(() => '');
    const lines = text.split('\n');
    return Number(lines[PID_LINE]) === this.pid ? lines[STATUS_LINE]?.trim() : undefined;
  }

  async #logEnd(): Promise<string> {
    const text = await readFile(this.#parts.logFile, 'utf8').catch(() => '');
    return text.trim().split('\n').slice(-5).join(' | ');
  }
}

function startFailed(message: string, cause?: unknown): CapstanError {
  return unreachableError(message, { code: 'postgres_start_failed', cause });
}
