import { existsSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { osAccount } from '../postgres/run-as.ts';
import { withFileLock } from './file-lock.ts';
import { sandboxLock, SandboxPaths } from './folders.ts';
import { sweepSharedMemory } from './shared-memory.ts';
import { endAllProcesses, stopAllProcesses } from './stop.ts';
import { requireSandboxState, sandboxNames } from './state.ts';

const LOCK_WAIT_MS = 15_000;

export interface DownOptions {
  /** Undefined: every sandbox of the state root. */
  readonly name: string | undefined;
  /** Stop the processes in order and keep the folder, so that `up` goes on with the same data. */
  readonly keepData: boolean;
  readonly signal?: AbortSignal;
}

export interface DownResult {
  readonly name: string;
  readonly changed: boolean;
  readonly processesEnded: number;
  readonly folderRemoved: boolean;
}

/**
 * Leaves nothing of a sandbox: no process (those of a starter that was killed included) and no folder. Throws
 * CapstanError `sandbox_busy` (exit 4) while another capstan works on it, `sandbox_processes_left` (exit 6).
 */
export async function sandboxDown({ name, keepData, signal }: DownOptions): Promise<DownResult[]> {
  const results: DownResult[] = [];
  for (const one of name === undefined ? await sandboxNames() : [name]) {
    const paths = new SandboxPaths(one);
    if (!existsSync(paths.folder)) {
      results.push({ name: one, changed: false, processesEnded: 0, folderRemoved: false });
      continue;
    }
    const lock = { path: sandboxLock(one), waitMs: LOCK_WAIT_MS, what: `the sandbox ${one}`, signal };
    results.push(await withFileLock(lock, () => takeDown(paths, keepData)));
  }
  return results;
}

async function takeDown(paths: SandboxPaths, keepData: boolean): Promise<DownResult> {
  const { name } = paths;
  if (keepData) {
    await requireSandboxState(paths);
    const processesEnded = await stopAllProcesses(paths);
    return { name, changed: processesEnded > 0, processesEnded, folderRemoved: false };
  }
  const since = (await stat(paths.folder)).birthtime;
  const processesEnded = await endAllProcesses(paths);
  await rm(paths.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  const account = await osAccount('postgres').catch(() => undefined);
  await sweepSharedMemory({ since, uid: account?.uid ?? process.getuid?.() ?? -1 });
  return { name, changed: true, processesEnded, folderRemoved: true };
}
