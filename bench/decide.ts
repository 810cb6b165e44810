/**
 * The decision path over HTTP, against (F) pgbench calling a one-row decision function of the same shape and (N) a naive
 * interactive-transaction service, all on the same leader with the same synchronous follower, interleaved in rounds.
 * Prints ratios; absolute figures are shown only beside them.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { baselineDatabase, type BenchEstate, openBenchEstate, startNaiveService } from './support/estate.ts';
import { type LoadResult, runLoad } from './support/load.ts';
import { machineFacts } from './support/machine.ts';
import { pgbench } from './support/pgbench.ts';
import { type Figures, formatRatios, percentile, ratio } from './support/stats.ts';

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 4);

const call = (estate: BenchEstate, issuer: string) => ({
  path: '/reservations',
  headers: { 'content-type': 'application/json', authorization: `Bearer ${estate.deskKey}` },
  body: `{"issuer_id":"${issuer}","notional":"1.00","reservation_token":"${randomUUID()}"}`,
});

const coldIssuer = (estate: BenchEstate, n: number) =>
  estate.coldIssuers[n % estate.coldIssuers.length] ?? estate.hotIssuer;

/** A share of failed answers would make a throughput figure a lie. */
function demandConfirmed(phase: string, { statuses }: LoadResult): void {
  const total = Object.values(statuses).reduce((sum, count) => sum + count, 0);
  if ((statuses[201] ?? 0) < total * 0.99)
    throw new Error(`${phase}: answers were ${JSON.stringify(statuses)}`);
}

async function load(
  phase: string,
  estate: BenchEstate,
  origin: string,
  callers: number,
  issuerOf: (n: number) => string,
) {
  const durationMs = SECONDS * 1_000;
  const result = await runLoad({ origin, callers, durationMs, next: (_, n) => call(estate, issuerOf(n)) });
  demandConfirmed(phase, result);
  return result;
}

/** Cold callers' p99 while a hot issuer takes 64 callers beside them. */
async function coldBesideHot(estate: BenchEstate): Promise<LoadResult> {
  const [, cold] = await Promise.all([
    load('hot beside cold', estate, estate.gatewayUrl, 64, () => estate.hotIssuer),
    load('cold beside hot', estate, estate.gatewayUrl, 16, (n) => coldIssuer(estate, n)),
  ]);
  return cold;
}

const estate = await openBenchEstate();
const database = await baselineDatabase(estate);
const naive = await startNaiveService(database.url);
const script = join(import.meta.dirname, 'sql', 'spread.pgbench');
const rows: Record<string, Figures[]> = {};
const keep = (name: string, figures: Figures) => void (rows[name] ??= []).push(figures);

try {
  for (let round = -1; round < ROUNDS; round += 1) {
    const f = { binary: estate.pgbench, databaseUrl: database.url, script, seconds: SECONDS };
    const phases: readonly [string, () => Promise<Figures>][] = [
      ['F spread', () => pgbench({ ...f, clients: 64 })],
      ['spread', () => load('spread', estate, estate.gatewayUrl, 64, (n) => coldIssuer(estate, n))],
      ['N hot 128', () => load('N hot', estate, naive.url, 128, () => estate.hotIssuer)],
      ['hot 128', () => load('hot 128', estate, estate.gatewayUrl, 128, () => estate.hotIssuer)],
      ['hot 32', () => load('hot 32', estate, estate.gatewayUrl, 32, () => estate.hotIssuer)],
      ['cold only', () => load('cold only', estate, estate.gatewayUrl, 16, (n) => coldIssuer(estate, n))],
      ['cold beside hot', () => coldBesideHot(estate)],
      ['F one', () => pgbench({ ...f, clients: 1 })],
      ['one', () => load('one', estate, estate.gatewayUrl, 1, (n) => coldIssuer(estate, n))],
    ];
    for (const [name, phase] of phases) {
      const figures = await phase();
      if (round >= 0) keep(name, figures);
    }
    console.error(round < 0 ? 'warm-up round done' : `round ${round + 1} of ${ROUNDS} done`);
  }
} finally {
  await naive.close();
  await database.drop();
}

const of = (name: string, figure: keyof Figures) => (rows[name] ?? []).map((figures) => figures[figure]);
console.log(machineFacts());
console.log(
  formatRatios([
    ratio('spread throughput / F', {
      of: of('spread', 'perSecond'),
      to: of('F spread', 'perSecond'),
      atLeast: 0.5,
    }),
    ratio('hot 128 throughput / N', {
      of: of('hot 128', 'perSecond'),
      to: of('N hot 128', 'perSecond'),
      atLeast: 10,
    }),
    ratio('hot 128 p99 / N', { of: of('hot 128', 'p99Ms'), to: of('N hot 128', 'p99Ms'), atMost: 0.15 }),
    ratio('cold p99 beside hot / cold only', {
      of: of('cold beside hot', 'p99Ms'),
      to: of('cold only', 'p99Ms'),
      atMost: 1.5,
    }),
    ratio('hot 128 / hot 32 throughput', {
      of: of('hot 128', 'perSecond'),
      to: of('hot 32', 'perSecond'),
      atLeast: 0.95,
    }),
    ratio('one caller p50 / F', { of: of('one', 'p50Ms'), to: of('F one', 'p50Ms'), atMost: 2 }),
  ]),
);
for (const [name, figures] of Object.entries(rows)) {
  const typical = (figure: keyof Figures) =>
    percentile(
      figures.map((each) => each[figure]),
      0.5,
    ).toFixed(1);
  console.log(
    `  ${name.padEnd(16)} ${typical('perSecond')}/s  p50 ${typical('p50Ms')} ms  p99 ${typical('p99Ms')} ms`,
  );
}
