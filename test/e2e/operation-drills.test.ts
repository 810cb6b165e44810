import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DrillResultData } from '../../src/cli/schemas/drill.ts';
import { drillNamed } from '../../src/drills/catalogue.ts';
import { drillRuns } from '../support/drill-runs.ts';
import { FULL, report } from '../support/proof.ts';
import { startSandbox, type TestSandbox } from '../support/sandbox.ts';

/** Each is minutes long; the quick suite's own tests show these flows once each at the command line. */
const SEEDS = { failovers: 1, regional: 5, switchover: 3, membership: 3, rebalance: 3 } as const;
const TIMEOUT_MS = 3_600_000;
/** A shorter pause is one that the gateways' own patience covers, with room for a busy machine. */
const UNHEARD_MS = 2_000;
/** Not every history has a rejection, or a failover to another region. */
const NOT_ALWAYS: ReadonlySet<string> = new Set(['rejection', 'loss']);

describe.runIf(FULL)('under load', () => {
  let sandbox: TestSandbox;

  beforeAll(async () => {
    sandbox = await startSandbox(['--member-links', '--timeout', '3m'], { automatic: true });
  }, 300_000);
  afterAll(() => sandbox?.down());

  async function run(drill: keyof typeof SEEDS): Promise<readonly DrillResultData[]> {
    const words = ['--seed', '1', '--seeds', `${SEEDS[drill]}`];
    const runs = await drillRuns(drill, { sandbox: sandbox.name, words, timeoutMs: TIMEOUT_MS });
    expect(runs).toHaveLength(SEEDS[drill]);
    for (const { rules } of runs) {
      const judged = rules.filter(({ rule }) => !NOT_ALWAYS.has(rule));
      expect(judged.map(({ status: judgement }) => judgement)).toEqual(judged.map(() => 'held'));
    }
    const carriedOut = roundsOf(runs).filter((round) => round.carriedOut);
    expect(new Set(carriedOut.map(({ fault }) => fault))).toEqual(new Set(drillNamed(drill).faults));
    return runs;
  }

  test(
    'twenty failovers in a row lose nothing that was confirmed',
    { timeout: TIMEOUT_MS },
    async (context) => {
      const runs = await run('failovers');
      const rounds = roundsOf(runs);
      expect(rounds.map(({ carriedOut, told }) => [carriedOut, carriedOut ? null : told])).toEqual(
        Array.from({ length: 20 }, () => [true, null]),
      );
      report(context, summaryOf(runs));
    },
  );

  test(
    'a whole region is lost within the RPO budget and beyond it, and comes back with each lost decision named',
    { timeout: TIMEOUT_MS },
    async (context) => {
      const runs = await run('regional');
      for (const { rules } of runs) expect(rules.find(({ rule }) => rule === 'loss')?.status).toBe('held');
      const late = roundsOf(runs).filter(
        ({ fault, carriedOut }) => carriedOut && fault === 'lose-region-late',
      );
      for (const { told } of late) expect(told).toMatch(/refused over the budget, run with \d+ accepted/);
      const told = roundsOf(runs).flatMap((round) => round.told ?? []);
      report(context, `${summaryOf(runs)}; ${told.join('; ')}`);
    },
  );

  test(
    'switchovers there and back are heard by nobody, and one that is stopped in the middle backs out',
    { timeout: TIMEOUT_MS },
    async (context) => {
      const runs = await run('switchover');
      const rounds = roundsOf(runs);
      const there = rounds.filter(({ fault, carriedOut }) => carriedOut && fault === 'switch-over');
      const pauses = there.map(({ told, errors }) => ({ errors, pausesMs: pausesIn(told ?? '') }));
      const short = pauses.filter(({ pausesMs }) => pausesMs.every((pauseMs) => pauseMs < UNHEARD_MS));
      expect(short.map(({ errors }) => errors)).toEqual(short.map(() => 0));
      const stopped = rounds.filter(({ fault }) => fault === 'switch-over-stopped');
      expect(stopped.some(({ told }) => told?.includes('leads') === true)).toBe(true);
      const all = pauses.flatMap(({ pausesMs }) => pausesMs);
      report(context, `${summaryOf(runs)}; pauses ${all.join(', ')} ms`);
    },
  );

  test(
    'shards move there and back, whatever dies meanwhile, and no decision stays behind',
    { timeout: TIMEOUT_MS },
    async (context) => {
      const runs = await run('rebalance');
      const told = roundsOf(runs).flatMap((round) => (round.carriedOut ? [round.told ?? ''] : []));
      expect(told.filter((text) => !text.includes('on the way back'))).toEqual([]);
      const pauses = told.flatMap(pausesIn);
      report(context, `${summaryOf(runs)}; pauses ${pauses.join(', ')} ms`);
    },
  );

  test(
    'members are removed, added, promoted and rejoined without a loss',
    { timeout: TIMEOUT_MS },
    async (context) => {
      const runs = await run('membership');
      const changes = roundsOf(runs).filter(({ fault }) => fault.startsWith('change-'));
      expect(changes.length).toBeGreaterThan(0);
      report(context, summaryOf(runs));
    },
  );
});

const roundsOf = (runs: readonly DrillResultData[]): readonly DrillResultData['rounds'][number][] =>
  runs.flatMap(({ rounds }) => rounds);

const pausesIn = (told: string): readonly number[] =>
  [...told.matchAll(/for (\d+) ms/g)].map(([, pauseMs]) => Number(pauseMs));

function summaryOf(runs: readonly DrillResultData[]): string {
  const rounds = roundsOf(runs);
  const carriedOut = rounds.filter((round) => round.carriedOut).length;
  const outages = runs.flatMap(({ outages: one }) =>
    one === null ? [] : [`${one.medianMs} ms at the median, ${one.worstMs} ms at worst`],
  );
  const confirmed = runs.reduce((sum, { scale }) => sum + scale.confirmed, 0);
  return `${carriedOut} of ${rounds.length} rounds, ${confirmed} confirmed, without an authority for ${outages.join('; ') || '-'}`;
}
