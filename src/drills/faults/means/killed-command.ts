import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { capstanProgram } from '../../../sandbox/commands.ts';
import type { Site } from './site.ts';

const RUNS_AT_MOST_MS = 60_000;

/** Runs the real command line until what it says on its way matches, and kills it there; one that ends by itself has ended. */
export async function runAndKill(
  { paths }: Pick<Site, 'paths'>,
  words: readonly string[],
  mark: RegExp,
): Promise<void> {
  const all = [...words, '--no-input', '--no-color', '--config', paths.config];
  const child = spawn(process.execPath, [capstanProgram(), ...all], {
    cwd: paths.folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: RUNS_AT_MOST_MS,
    killSignal: 'SIGKILL',
  });
  const ended = once(child, 'exit');
  for await (const line of createInterface({ input: child.stderr }))
    if (mark.test(line)) child.kill('SIGKILL');
  await ended;
}
