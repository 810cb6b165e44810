/**
 * Death of the leader's host to the first confirmed write, Capstan beside Patroni: the same TTL, the same death, the same
 * client, on a fresh estate of each product a round, one after the other. Installs Patroni if it is missing.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { loadContract } from '../src/config/contract.ts';
import { messageOf } from '../src/domain/errors.ts';
import { capstanProduct } from './failover/capstan.ts';
import type { Product } from './failover/estate.ts';
import { measureFailover, TRY_DEADLINE_MS, TRY_PAUSE_MS } from './failover/measure.ts';
import { patroniProduct } from './failover/patroni.ts';
import { machineFacts } from './support/machine.ts';
import { formatRatios, median, ratio } from './support/stats.ts';

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
const EXIT_INTERRUPTED = 130;
const root = join(import.meta.dirname, '..');

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());

const seconds = (ms: number): string => (ms / 1_000).toFixed(2);

async function measured({ name, open }: Product): Promise<number> {
  const estate = await open(stop.signal);
  try {
    const tookMs = await measureFailover(estate, stop.signal);
    console.error(`  ${name}: ${seconds(tookMs)} s; ${await estate.account()}`);
    return tookMs;
  } catch (error) {
    console.error(`  ${name}: no figure; ${await estate.account().catch(messageOf)}`);
    throw error;
  } finally {
    await estate.close();
  }
}

async function run(): Promise<void> {
  execFileSync(process.execPath, [join(root, 'scripts', 'setup-patroni.mjs')], { stdio: 'inherit' });
  const contract = await loadContract(join(root, 'contract.yaml'));
  const ttlS = contract.lease.ttlMs / 1_000;
  if (!Number.isInteger(ttlS)) throw new Error(`Patroni takes whole seconds, and lease.ttl is ${ttlS} s`);
  const capstan = {
    product: capstanProduct(contract),
    tookMs: new Array<number>(),
  };
  const patroni = { product: patroniProduct(ttlS), tookMs: new Array<number>() };
  for (let round = 0; round < ROUNDS; round += 1) {
    console.error(`round ${round + 1} of ${ROUNDS}`);
    // Each goes first in turn.
    const order = round % 2 === 0 ? [capstan, patroni] : [patroni, capstan];
    for (const { product, tookMs } of order) tookMs.push(await measured(product));
  }
  const version = execFileSync('/usr/bin/patroni', ['--version'], { encoding: 'utf8' }).trim();
  console.log(machineFacts());
  console.log(
    `kill -9 of all processes of the leader's host to the first confirmed write; TTL ${ttlS} s on both sides; ${version}; ` +
      `one client, its next try ${TRY_PAUSE_MS} ms after the last ended, each given up after ${TRY_DEADLINE_MS} ms`,
  );
  console.log(
    formatRatios([
      ratio('failover: Capstan / Patroni', { of: capstan.tookMs, to: patroni.tookMs, atMost: 0.5 }),
    ]),
  );
  for (const { product, tookMs } of [capstan, patroni]) {
    console.log(
      `  ${product.name}  median ${seconds(median(tookMs))} s  (rounds ${tookMs.map(seconds).join(' ')})`,
    );
    console.log(`    includes ${product.includes}`);
  }
}

try {
  await run();
} catch (error) {
  if (!stop.signal.aborted) throw error;
  process.exitCode = EXIT_INTERRUPTED;
}
