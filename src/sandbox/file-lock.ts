import { mkdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { refusedError } from '../domain/errors.ts';
import { isRunning, type ProcessIdentity, readProcess } from './process-table.ts';

const RETRY_EVERY_MS = 100;

export interface FileLockOptions {
  readonly path: string;
  readonly waitMs: number;
  /** What the lock protects, for the refusal. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `body` while this process alone holds the lock. A holder that died (kill -9) holds nothing. Throws CapstanError
 * `sandbox_busy` (exit 4) when a living process keeps it for longer than `waitMs`.
 */
export async function withFileLock<T>(options: FileLockOptions, body: () => Promise<T>): Promise<T> {
  await acquire(options);
  try {
    return await body();
  } finally {
    await unlink(options.path).catch(() => undefined);
  }
}

async function acquire({ path, waitMs, what, signal }: FileLockOptions): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const me = await readProcess(process.pid);
  const content = JSON.stringify({ pid: process.pid, startedAt: me?.startedAt ?? '' });
  const deadline = performance.now() + waitMs;
  for (;;) {
    signal?.throwIfAborted();
    try {
      await writeFile(path, content, { flag: 'wx', mode: 0o600 });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = await readHolder(path);
    if (holder !== undefined && !(await isRunning(holder))) await removeStale(path, holder);
    else if (performance.now() > deadline) {
      throw refusedError(`${what} is being changed by another capstan (pid ${holder?.pid ?? 'unknown'})`, {
        code: 'sandbox_busy',
        retryable: true,
        next: 'wait for it, or end it and run this again',
      });
    } else await delay(RETRY_EVERY_MS, undefined, signal === undefined ? {} : { signal });
  }
}

async function readHolder(path: string): Promise<ProcessIdentity | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as ProcessIdentity;
  } catch {
    // Just released, or just being written.
    return undefined;
  }
}

/** Takes the dead holder's file aside first, so that two finders can't remove a lock that a third has just taken. */
async function removeStale(path: string, dead: ProcessIdentity): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  const moved = await readHolder(aside);
  if (moved?.pid !== dead.pid || moved.startedAt !== dead.startedAt) {
    await rename(aside, path);
    return;
  }
  await unlink(aside);
}
