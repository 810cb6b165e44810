import { describe, expect, it } from 'vitest';
import { freshnessOf } from '../../../src/projections/freshness.ts';
import type { WatermarkFacts } from '../../../src/projections/queries/watermarks.ts';

const NOW = Date.parse('2026-11-30T12:00:00Z');
const fact = (shard: number, agoMs: number | null, parts: Partial<WatermarkFacts> = {}): WatermarkFacts => ({
  shard,
  position: '5',
  generation: 1,
  term: 1,
  decidedAt: null,
  state: 'live',
  stateReason: null,
  cluster: 'c1',
  rebuilds: 0,
  asOf: agoMs === null ? null : new Date(NOW - agoMs).toISOString(),
  paused: false,
  ...parts,
});
const of = (facts: WatermarkFacts[], shards = facts.map(({ shard }) => shard)) =>
  freshnessOf({ shards, facts, nowMs: NOW, clockSkewMaxMs: 500, budgetMs: 2_000 });

describe('how old an answer is', () => {
  it('is how old its oldest shard is', () => {
    expect(of([fact(1, 100), fact(2, 1_500)])).toMatchObject({ stalenessMs: 1_500, withinBudget: true });
    expect(of([fact(1, 100), fact(2, 2_500)])).toMatchObject({ stalenessMs: 2_500, withinBudget: false });
  });

  it('is unknown, and within no budget, when one shard can not say', () => {
    for (const facts of [[fact(1, 100), fact(2, null)], [fact(1, 100)]]) {
      expect(of(facts, [1, 2])).toMatchObject({ stalenessMs: null, asOf: null, withinBudget: false });
    }
    expect(of([], [])).toMatchObject({ stalenessMs: null, withinBudget: false });
  });

  it('is unknown of a moment that lies too far in the future, and zero of one within the skew', () => {
    expect(of([fact(1, -501)])).toMatchObject({ stalenessMs: null, withinBudget: false });
    expect(of([fact(1, -400)])).toMatchObject({ stalenessMs: 0, withinBudget: true });
  });

  it('is not told by a shard that forked or is being rebuilt; one with a gap is out of budget', () => {
    for (const state of ['forked', 'rebuilding'] as const) {
      expect(of([fact(1, 100, { state })])).toMatchObject({ stalenessMs: null, withinBudget: false });
    }
    expect(of([fact(1, 100, { state: 'gap' })])).toMatchObject({ stalenessMs: 100, withinBudget: false });
  });
});
