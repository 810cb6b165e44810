import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { check } from '../../../src/drills/checker/check.ts';
import { excerptOf } from '../../../src/drills/checker/excerpt.ts';
import { searchLinearization } from '../../../src/drills/checker/search.ts';
import type { Rule } from '../../../src/drills/checker/verdict.ts';
import type { HistoryLine } from '../../../src/drills/history/types.ts';
import { type HistoryPlan, modelHistory, prng } from '../../support/model-history.ts';
import { MUTATIONS } from '../../support/mutate-history.ts';

const share = (max: number) => fc.integer({ min: 0, max: 100 }).map((percent) => (percent * max) / 100);
const plans: fc.Arbitrary<HistoryPlan> = fc.record({
  seed: fc.nat(),
  operations: fc.integer({ min: 1, max: 70 }),
  issuers: fc.integer({ min: 1, max: 3 }),
  shards: fc.integer({ min: 1, max: 2 }),
  processes: fc.integer({ min: 1, max: 5 }),
  limit: fc.constantFrom(500, 2_000, 10_000),
  unknown: share(0.3),
  refused: share(0.15),
  retry: share(0.2),
  release: share(0.25),
  limits: share(0.1),
  read: share(0.2),
  resolve: share(0.15),
  settle: share(0.1),
  failover: share(0.05),
});

/** Most histories need far fewer; the rest is not sure, and takes too long for a test. */
const FEW = { statesMax: 400 };

const complaints = (lines: readonly HistoryLine[]): string[] =>
  check(lines).violations.map(({ rule, message }) => `${rule}: ${message}`);
const broken = (lines: readonly HistoryLine[]): Rule[] =>
  check(lines)
    .rules.filter(({ status }) => status === 'broken')
    .map(({ rule }) => rule);

test('what clients of a correct service see breaks no rule, and the search finds an order for it', () => {
  fc.assert(
    fc.property(plans, (plan) => {
      const lines = modelHistory(plan);
      expect(complaints(lines)).toEqual([]);
      expect(searchLinearization(lines, FEW).kind).not.toBe('not linearizable');
    }),
    { numRuns: 25 },
  );
});

test.each<[string, Partial<HistoryPlan>]>([
  ['without a read-back', { readBack: false }],
  ['in somebody else’s form', { minimal: true }],
  ['of issuers that existed before', { before: 50 }],
  ['of issuers that existed before, without a read-back', { before: 50, readBack: false }],
  ['through failovers that lose decisions', { loss: 5 }],
])('nor does it %s', (_, variant) => {
  fc.assert(
    fc.property(plans, (plan) => {
      expect(complaints(modelHistory({ ...plan, ...variant }))).toEqual([]);
    }),
    { numRuns: 25 },
  );
});

/** Of each mutation: which rules may see it; one of them must. */
const FITTING: Readonly<Record<keyof typeof MUTATIONS, readonly Rule[]>> = {
  'a decision disappears from the log': ['durability'],
  'a confirmation becomes a rejection': ['durability'],
  'a rejection becomes a confirmation': ['durability'],
  'what remained is another amount': ['allocation'],
  'a term falls': ['authority'],
  'an answer names another term': ['durability'],
  'two entries of the log change places': [
    'allocation',
    'durability',
    'order',
    'reads',
    'rejection',
    'unknown',
    'authority',
  ],
  'a reserve goes over the limit': ['allocation'],
  'a read shows another total': ['reads'],
  'a read shows one open reservation too many': ['reads'],
  'a token is decided twice': ['one-outcome'],
  'a refusal had an effect': ['unknown'],
  'a resolution says not found': ['reads', 'unknown'],
  'a replay claims to be new': ['one-outcome'],
};

/** So that there is nearly always something that a mutation can spoil. */
const BUSY = { limit: 2_000, retry: 0.2, release: 0.15, read: 0.15, resolve: 0.1, failover: 0.05 };
const PICKS = 20;

test.each(Object.entries(MUTATIONS))('it is seen when %s', (name, mutate) => {
  let spoiled = 0;
  fc.assert(
    fc.property(plans, (plan) => {
      const lines = modelHistory({ ...plan, ...BUSY, operations: plan.operations + 60 });
      const random = prng(plan.seed);
      const pick = (length: number) => Math.floor(random() * length);
      let bad: HistoryLine[] | undefined;
      for (let attempt = 0; bad === undefined && attempt < PICKS; attempt += 1) bad = mutate(lines, pick);
      if (bad === undefined) return;
      spoiled += 1;
      const { violations } = check(bad);
      const fitting = violations.find(({ rule }) => FITTING[name]?.includes(rule));
      expect(fitting).toBeDefined();
      if (fitting === undefined || spoiled > 5) return;
      const excerpt = excerptOf(fitting);
      expect(broken(excerpt.lines)).toContain(excerpt.rule);
      expect(excerpt.minimal).toBe(true);
    }),
    { numRuns: 20 },
  );
  expect(spoiled).toBeGreaterThan(0);
});

test.each([[true], [false]])(
  'whatever the search finds no order for is rejected (read back: %s)',
  (readBack) => {
    const mutations = Object.values(MUTATIONS);
    fc.assert(
      fc.property(plans, fc.nat(), (plan, which) => {
        // Without the log an unknown decision may explain what the rules can't exclude.
        const lines = modelHistory({ ...plan, readBack, ...(readBack ? {} : { unknown: 0 }) });
        const random = prng(plan.seed);
        const bad = mutations[which % mutations.length]?.(lines, (length) => Math.floor(random() * length));
        if (bad === undefined || searchLinearization(bad, FEW).kind !== 'not linearizable') return;
        expect(broken(bad)).not.toEqual([]);
      }),
      { numRuns: 60 },
    );
  },
);

test('20,000 operations with everything that can happen to them are judged without a complaint', () => {
  const lines = modelHistory({
    seed: 7,
    operations: 20_000,
    issuers: 50,
    shards: 8,
    processes: 32,
    limit: 100_000,
    unknown: 0.03,
    refused: 0.03,
    retry: 0.1,
    release: 0.2,
    limits: 0.01,
    read: 0.02,
    resolve: 0.03,
    settle: 0.01,
    failover: 0.0005,
  });
  const verdict = check(lines);
  expect(verdict.violations).toEqual([]);
  expect(verdict.operations).toBeGreaterThanOrEqual(20_000);
  // No failover of it is to another region.
  const judged = verdict.rules.filter(({ rule }) => rule !== 'loss').map(({ status }) => status);
  expect(judged).toEqual(judged.map(() => 'held'));
});
