/**
 * The projections' database alone: how fast a log is applied (beside raw inserts of the same rows in the same run), how long a search
 * takes, and how fast a log is folded anew. `PROJECTION_EVENTS` sets the size (1,000,000 unless given). Makes its own Postgres.
 */
import { randomInt } from 'node:crypto';
import type { LogEntry } from '../src/domain/log-entry.ts';
import { ProjectionReader } from '../src/projections/reader.ts';
import type { SearchQuery } from '../src/projections/search-query.ts';
import { lineageRow, LogModel, type ModelCommand } from '../test/support/log-model.ts';
import { answerOf, pagesOf, startProjections } from '../test/support/projections.ts';
import { machineFacts } from './support/machine.ts';
import { percentile } from './support/stats.ts';

const EVENTS = Number(process.env['PROJECTION_EVENTS'] ?? 1_000_000);
const SHARDS = 16;
const PER_BATCH = 500;
const SEARCHES = 400;
const GOAL_PER_SECOND = 3_000;
const SEARCH_GOAL_MS = 50;
/** As many as the projector runs at once. */
const AT_ONCE = 4;

function* commands(shard: number, count: number): Generator<ModelCommand> {
  const issuers = Array.from({ length: 40 }, (_, i) => `ISS-${shard}-${i}`);
  for (const issuer of issuers) yield { kind: 'limit', issuer, limit: 1_000_000_000 };
  for (let i = issuers.length; i < count; i++) {
    const issuer = issuers[i % issuers.length] ?? '';
    if (i % 3 === 0) yield { kind: 'release', issuer, nth: Math.floor(i / issuers.length / 3) };
    else yield { kind: 'reserve', issuer, desk: `desk-${i % 37}`, amount: 1_000 + (i % 9_973) };
  }
}

const perShard = Math.ceil(EVENTS / SHARDS);
const logs = new Map<number, readonly LogEntry[]>();
for (let shard = 0; shard < SHARDS; shard++)
  logs.set(shard, new LogModel().run(commands(shard, perShard)).entries);
const total = [...logs.values()].reduce((sum, log) => sum + log.length, 0);

const projections = await startProjections({ shared_buffers: '256MB', max_wal_size: '2GB' });
const met = (holds: boolean) => (holds ? 'met' : 'NOT MET');
try {
  console.log(`${machineFacts()}; ${total} events over ${SHARDS} shards, batches of ${PER_BATCH}`);

  const raw = await rawInserts();
  const began = performance.now();
  const waiting = [...logs.keys()];
  await Promise.all(Array.from({ length: AT_ONCE }, drain));
  const perSecond = total / seconds(began);
  console.log(
    `drain: ${Math.round(perSecond)} events/s (goal ${GOAL_PER_SECOND}: ${met(perSecond >= GOAL_PER_SECOND)}); raw inserts of the log alone, one connection: ${Math.round(raw)}/s, ratio ${(perSecond / raw).toFixed(2)}`,
  );

  await projections.admin.query('vacuum analyze projection.decision');
  console.log(
    `  a statement that reads one row by its key, beside it: p50 ${percentile(await oneRow(), 0.5).toFixed(1)} ms, p99 ${percentile(await oneRow(), 0.99).toFixed(1)} ms`,
  );
  const samples = await searches();
  const p99 = percentile(samples, 0.99);
  console.log(
    `search over ${total} decisions: p50 ${percentile(samples, 0.5).toFixed(1)} ms, p99 ${p99.toFixed(1)} ms (goal ${SEARCH_GOAL_MS} ms: ${met(p99 <= SEARCH_GOAL_MS)})`,
  );

  const again = performance.now();
  for (const [shard, log] of logs) {
    await projections.store.rebuild({
      cluster: 'c1',
      shard,
      why: 'bench',
      by: 'bench',
      lineage: [lineageRow(1, 1, 1)],
      pages: pagesOf(log, 2_000),
    });
  }
  console.log(
    `replay: ${total} events in ${seconds(again).toFixed(1)} s, ${Math.round(total / seconds(again))}/s, one shard after the other`,
  );

  async function drain(): Promise<void> {
    for (let shard = waiting.shift(); shard !== undefined; shard = waiting.shift()) {
      const log = logs.get(shard) ?? [];
      for (let from = 0; from < log.length; from += PER_BATCH) {
        const answer = answerOf(shard, log, from, { count: PER_BATCH });
        const applied = await projections.store.apply({
          cluster: 'c1',
          log: answer,
          asOf: null,
          source: 'bench',
        });
        if (applied.kind !== 'applied') throw new Error(`shard ${shard} at ${from}: ${applied.kind}`);
      }
    }
  }
} finally {
  await projections.stop();
}

function seconds(since: number): number {
  return (performance.now() - since) / 1_000;
}

/** The baseline: the same entries into one table with its primary key and nothing else. */
async function rawInserts(): Promise<number> {
  const { admin } = projections;
  await admin.query(`create table public.raw_log (shard integer, position bigint, generation integer, term integer, event text,
    issuer text, desk text, token text, reservation text, amount bigint, reserved_after bigint, limit_after bigint,
    reason text, decided_at timestamptz, primary key (shard, position))`);
  await admin.query('set synchronous_commit = off');
  const began = performance.now();
  for (const [shard, log] of logs) {
    for (let from = 0; from < log.length; from += PER_BATCH) {
      await admin.query(
        `insert into public.raw_log select $1, x.* from jsonb_to_recordset($2::jsonb) as x(position bigint,
          generation integer, term integer, event text, issuer text, desk text, token text, reservation text,
          amount bigint, reserved_after bigint, limit_after bigint, reason text, decided_at timestamptz)`,
        [shard, JSON.stringify(log.slice(from, from + PER_BATCH))],
      );
    }
  }
  const rate = total / seconds(began);
  await admin.query('drop table public.raw_log');
  return rate;
}

/** What the machine takes for the least that a search could be. */
async function oneRow(): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 0; i < SEARCHES; i++) {
    const began = performance.now();
    await projections.admin.query('select * from projection.decision where shard_id = $1 and position = $2', [
      i % SHARDS,
      randomInt(1, perShard),
    ]);
    samples.push(performance.now() - began);
  }
  return samples;
}

/** What support asks: ids, issuers, words, ranges, desks; each of them anew. */
async function searches(): Promise<number[]> {
  const reader = await ProjectionReader.open({
    ...projections.poolOptions('projections_reader'),
    deadlineMs: 60_000,
    nowMs: () => Date.now(),
    clockSkewMaxMs: 500,
    budgets: { dashboardMs: 2_000, searchMs: 5_000, riskMs: 10_000 },
  });
  const shards = [...logs.keys()];
  const byKind = new Map<string, number[]>();
  const kinds: Record<string, () => SearchQuery> = {
    id: () => ({ text: `tok-1-${randomInt(1, perShard)}` }),
    issuer: () => ({ text: `ISS-${randomInt(SHARDS)}-${randomInt(40)}` }),
    'words and desk': () => ({ text: `iss desk ${randomInt(37)}` }),
    'part of an issuer': () => ({ issuerContains: `-${randomInt(SHARDS)}-${randomInt(40)}` }),
    'open of a desk': () => ({ desk: `desk-${randomInt(37)}`, status: 'open' }),
    amounts: () => ({ amountMinCents: String(randomInt(1_000, 9_000)), amountMaxCents: '9500' }),
    'released of an issuer': () => ({
      issuer: `ISS-${randomInt(SHARDS)}-${randomInt(40)}`,
      status: 'released',
    }),
  };
  const names = Object.keys(kinds);
  const samples: number[] = [];
  for (let i = 0; i < SEARCHES; i++) {
    const name = names[i % names.length] ?? '';
    const query = kinds[name]?.() ?? {};
    const began = performance.now();
    await reader.search({ query, shards, limit: 50 });
    const took = performance.now() - began;
    samples.push(took);
    byKind.set(name, [...(byKind.get(name) ?? []), took]);
  }
  await reader.close();
  for (const [name, of] of byKind) {
    console.log(
      `  ${name}: p50 ${percentile(of, 0.5).toFixed(1)} ms, p99 ${percentile(of, 0.99).toFixed(1)} ms`,
    );
  }
  // A cold connection is among them; a gateway keeps its own.
  return samples;
}
