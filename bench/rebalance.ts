/**
 * Moving shards from c1 to c2 beside what it is measured against: the copy beside `pg_dump | psql` of the same rows, callers'
 * median while rows are copied beside their median before, and the pause of a hand-over (the longest request of any caller)
 * beside a median commit. Needs a sandbox (`CAPSTAN_SANDBOX`).
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import type { SandboxEnvironment } from '../src/sandbox/environment.ts';
import { DEFAULT_SHARD_COUNT } from '../src/domain/shard.ts';
import { seedDecisions } from '../test/support/seed-decisions.ts';
import { endMove, handOver, startMove } from './rebalance/commands.ts';
import { openDesks } from './rebalance/desks.ts';
import { dumpAndRestore } from './rebalance/dump.ts';
import { machineFacts } from './support/machine.ts';
import { formatRatios, median, percentile, ratio } from './support/stats.ts';

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);
const HAND_OVERS = Number(process.env['BENCH_HAND_OVERS'] ?? 10);
/** Each is three rows. */
const DECISIONS = Number(process.env['BENCH_DECISIONS'] ?? 200_000);
const SHARDS = [0, 2, 4, 6, 8, 10, 12, 14];
const CALLERS = 8;
const STEADY_MS = 4_000;
const CREATED = 201;

const run = promisify(execFile);
const { stdout } = await run(join(import.meta.dirname, '..', 'bin', 'capstan'), [
  'sandbox',
  'env',
  '-o',
  'json',
]);
const { data } = JSON.parse(stdout) as { data: SandboxEnvironment };
const origin = data.gateways.find(({ region }) => region === 'new-york')?.url;
const key = data.keys['desk-new-york'];
const source = data.postgres['c1-new-york-1']?.['superuser'];
const target = data.postgres['c2-madrid-1']?.['superuser'];
if (origin === undefined || key === undefined || source === undefined || target === undefined)
  throw new Error('the sandbox lacks a gateway, a desk or a leader');

const client = new Client({ connectionString: source });
await client.connect();
const seeded = await seedDecisions({
  client,
  shards: SHARDS,
  shardCount: DEFAULT_SHARD_COUNT,
  decisionsPerShard: Math.ceil(DECISIONS / SHARDS.length),
});
await client.query('analyze');
await client.end();
const desks = openDesks({ origin, key, issuers: seeded.map(({ issuer }) => issuer), callers: CALLERS });

const copies: number[] = [];
const dumps: number[] = [];
const before: number[] = [];
const during: number[] = [];
const pausesMs: number[] = [];
const commits: number[] = [];
let refused = 0;

/** The median of what was asked since the last call; whoever was refused is counted. */
function taken(): { readonly medianMs: number; readonly longestMs: number } {
  const samples = desks.take();
  refused += samples.filter(({ status }) => status !== CREATED).length;
  const all = samples.map(({ tookMs }) => tookMs);
  return { medianMs: median(all), longestMs: Math.max(...all) };
}

try {
  for (let round = 0; round < ROUNDS; round += 1) {
    dumps.push(await dumpAndRestore(source, target));
    taken();
    await delay(STEADY_MS);
    before.push(taken().medianMs);
    const { id, copyMs } = await startMove(SHARDS);
    during.push(taken().medianMs);
    copies.push(copyMs);
    if (round === ROUNDS - 1) {
      for (let turn = 0; turn < HAND_OVERS; turn += 1) {
        taken();
        await delay(STEADY_MS / 4);
        commits.push(taken().medianMs);
        await handOver(turn % 2 === 0 ? 'cutover' : 'reverse', id);
        pausesMs.push(taken().longestMs);
        console.error(`hand-over ${turn + 1} of ${HAND_OVERS}: ${Math.round(pausesMs.at(-1) ?? 0)} ms`);
      }
    }
    await endMove(round === ROUNDS - 1 ? 'complete' : 'cancel', id);
    console.error(`round ${round + 1} of ${ROUNDS}: copied in ${Math.round(copies.at(-1) ?? 0)} ms`);
  }
  console.log(machineFacts());
  console.log(
    `${DECISIONS * 3} rows of ${SHARDS.length} shards, ${CALLERS} callers all along; ${refused} of their requests were not confirmed`,
  );
  const typical = pausesMs.map(() => median(commits));
  const worst = [percentile(pausesMs, 0.99)];
  console.log(
    formatRatios([
      ratio('copy rate / pg_dump | psql', { of: dumps, to: copies, atLeast: 0.8 }),
      ratio('p50 while rows are copied / before', { of: during, to: before, atMost: 1.15 }),
      ratio('hand-over: longest request / median commit', { of: pausesMs, to: typical, atMost: 50 }),
      ratio('hand-over: p99 / median commit', { of: worst, to: [median(commits)], atMost: 50 }),
    ]),
  );
  const figures = [0.5, 0.99].map((share) => Math.round(percentile(pausesMs, share)));
  console.log(
    `  hand-over p50 ${figures[0]} ms, p99 ${figures[1]} ms; median commit ${median(commits).toFixed(1)} ms`,
  );
} finally {
  await desks.stop();
}
