import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open } from 'node:fs/promises';
import { Socket } from 'node:net';
import { capstanProgram } from '../../sandbox/commands.ts';
import type { SandboxPaths } from '../../sandbox/folders.ts';

/** What ends a guard without doing anything; an end of its input without it means that the drill was killed. */
export const GUARD_DONE = 'done';

const NAME = 'drill-guard';

export interface Guard {
  readonly pid: number;
  /** Everything is healed: the guard ends. Resolves when it has. */
  stop(): Promise<void>;
}

/**
 * Starts a process that outlives this one, and heals the sandbox when this one ends without a word, by kill -9 too. It has
 * a session of its own, so that no Ctrl-C reaches it, and works in the sandbox's folder, so that `sandbox down` ends it.
 */
export async function startGuard({ paths }: { readonly paths: SandboxPaths }): Promise<Guard> {
  await mkdir(paths.home(NAME), { recursive: true });
  await mkdir(paths.logs, { recursive: true });
  const log = await open(paths.log(NAME), 'a', 0o644);
  try {
    const words = ['drill', 'heal', '--name', paths.name, '--after-stdin', '--no-input'];
    const child = spawn(process.execPath, [capstanProgram(), ...words], {
      cwd: paths.home(NAME),
      detached: true,
      stdio: ['pipe', log.fd, log.fd],
    });
    const exited = once(child, 'exit');
    // Awaited only in `stop`; until then its end is nobody's error.
    exited.catch(() => undefined);
    await once(child, 'spawn');
    const { stdin, pid } = child;
    stdin?.on('error', () => undefined);
    // Neither keeps a drill that is over from ending.
    if (stdin instanceof Socket) stdin.unref();
    child.unref();
    return {
      pid: pid ?? 0,
      stop: async () => {
        child.ref();
        stdin?.end(`${GUARD_DONE}\n`);
        if (child.exitCode === null && child.signalCode === null) await exited;
      },
    };
  } finally {
    await log.close();
  }
}
