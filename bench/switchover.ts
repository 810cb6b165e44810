/**
 * The longest time for which one client of a cluster had nothing confirmed while the cluster was handed over, there and
 * back, beside the contract's budget for it. Needs a sandbox (`CAPSTAN_SANDBOX`).
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { loadContract } from '../src/config/contract.ts';
import type { z } from 'zod';
import type { clusterSummary } from '../src/cli/schemas/cluster.ts';
import type { SandboxEnvironment } from '../src/sandbox/environment.ts';
import { machineFacts } from './support/machine.ts';
import { openReserver } from './support/reserver.ts';
import { formatRatios, median, ratio } from './support/stats.ts';

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 10);
const CLUSTER = 'c1';
const TRY_DEADLINE_MS = 3_000;
const TRY_PAUSE_MS = 5;
/** Before and after, so that the gap has two ends. */
const STEADY_MS = 500;
const WHOLE_WITHIN_MS = 60_000;

const run = promisify(execFile);
const capstan = join(import.meta.dirname, '..', 'bin', 'capstan');

async function ask<T>(words: readonly string[]): Promise<T> {
  const { stdout } = await run(capstan, [...words, '-o', 'json']);
  return (JSON.parse(stdout) as { data: T }).data;
}

/** Until a voter is in sync: a cluster without one has nobody to be handed to. */
async function untilWhole(): Promise<void> {
  const deadline = performance.now() + WHOLE_WITHIN_MS;
  for (;;) {
    const { durability, rpo } = await ask<z.infer<typeof clusterSummary>>(['cluster', 'show', CLUSTER]);
    if (durability?.degraded === false && rpo.claim === 'advertised') return;
    if (performance.now() > deadline) throw new Error(`${CLUSTER} has no voter in sync`);
    await delay(TRY_PAUSE_MS * 40);
  }
}

const { write, closeWriter } = openReserver(await ask<SandboxEnvironment>(['sandbox', 'env']));
const confirmedAt: number[] = [];
const over = new AbortController();
let refused = 0;
const client = (async () => {
  while (!over.signal.aborted) {
    if (await write(TRY_DEADLINE_MS)) confirmedAt.push(performance.now());
    else refused += 1;
    await delay(TRY_PAUSE_MS);
  }
})();
try {
  const { movePause } = await loadContract(join(import.meta.dirname, '..', 'contract.yaml'));
  const pausesMs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await untilWhole();
    await delay(STEADY_MS);
    const begun = performance.now();
    await run(capstan, [
      'switchover',
      'run',
      CLUSTER,
      `--confirm=${CLUSTER}`,
      '--pause-budget',
      '10s',
      '-o',
      'json',
    ]);
    await delay(STEADY_MS);
    const seen = confirmedAt.filter((at) => at >= begun - STEADY_MS);
    pausesMs.push(Math.max(...seen.slice(1).map((at, index) => at - (seen[index] ?? at))));
    console.error(`round ${round + 1} of ${ROUNDS}: ${Math.round(pausesMs.at(-1) ?? 0)} ms`);
  }
  console.log(machineFacts());
  console.log(
    `the longest gap between two confirmed reserves of one client over each of ${ROUNDS} switchovers, there and back; ${refused} of its requests were not confirmed`,
  );
  const budget = pausesMs.map(() => movePause.maxMs);
  console.log(formatRatios([ratio('switchover: pause / budget', { of: pausesMs, to: budget, atMost: 0.5 })]));
  console.log(`  median ${Math.round(median(pausesMs))} ms  (rounds ${pausesMs.map(Math.round).join(' ')})`);
} finally {
  over.abort();
  await client;
  await closeWriter();
}
