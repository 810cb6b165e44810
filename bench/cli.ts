/**
 * Start-up of the command line against bare Node, whole processes, interleaved. Needs a running sandbox for
 * `map route` (bench/run.mjs starts one).
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { machineFacts } from './support/machine.ts';
import { formatRatios, ratio } from './support/stats.ts';

const ROUNDS = 15;
const capstan = join(import.meta.dirname, '..', 'bin', 'capstan');

function timeMs(command: string, args: readonly string[]): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stderr}`);
  return performance.now() - started;
}

const bare: number[] = [];
const version: number[] = [];
const route: number[] = [];
for (let round = -1; round < ROUNDS; round += 1) {
  const times = [
    timeMs(process.execPath, ['-e', '0']),
    timeMs(capstan, ['--version']),
    timeMs(capstan, ['map', 'route', 'MUNI-77', '-o', 'json']),
  ] as const;
  if (round < 0) continue;
  bare.push(times[0]);
  version.push(times[1]);
  route.push(times[2]);
}

console.log(machineFacts());
console.log(
  formatRatios([
    ratio('capstan --version / node -e 0', { of: version, to: bare, atMost: 2.5 }),
    ratio('capstan map route MUNI-77 / node -e 0', { of: route, to: bare, atMost: 6 }),
  ]),
);
