import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { forecastLoss, type LossInputs } from '../../../src/controlplane/failover/loss-forecast.ts';
import type { ProgressRecord } from '../../../src/domain/agent-reports.ts';

const T0 = Date.parse('2026-01-01T12:00:00.000Z');
const at = (ms: number) => new Date(T0 + ms).toISOString();

const LEADER: ProgressRecord = {
  member: 'a',
  incarnation: 'a-1',
  term: 3,
  timeline: 1,
  lsn: '0/5000000',
  positions: { '184': '100', '7': '50' },
  lineageDigest: 'x',
  replayedUntil: null,
  peak: { decisionsPerSecond: 30, bytesPerSecond: 1_000, shards: { '184': 20, '7': 10 } },
  at: at(0),
};
const TARGET = {
  lsn: '0/5000000',
  timeline: 1,
  positions: { '184': '100', '7': '50' },
  replayedUntil: at(-500),
} as const;

const forecast = (over: Partial<LossInputs> = {}) =>
  forecastLoss({
    leader: LEADER,
    target: TARGET,
    rightEndsAtMs: T0 + 2_000,
    claimBoundMs: null,
    budgetMs: 5_000,
    ...over,
  });

describe('what a regional failover may lose', () => {
  test('of a target that holds all: what could still be confirmed after the leader was last heard', () => {
    expect(forecast()).toMatchObject({
      known: 0,
      possible: 90,
      total: 90,
      atMost: 90 + 45 + 30,
      exposureMs: 2_000,
      bytes: 3_000,
      verdict: 'within',
      shards: [
        { shard: 7, known: 0, possible: 30 },
        { shard: 184, known: 0, possible: 60 },
      ],
    });
  });

  test('of a target that is behind: what it lacks, since the time of what it replayed last', () => {
    const target = { ...TARGET, lsn: '0/4FFF000', positions: { '184': '90' }, replayedUntil: at(-4_000) };
    expect(forecast({ target })).toMatchObject({
      known: 60,
      possible: 90,
      exposureMs: 6_000,
      bytes: 0x1000 + 3_000,
      verdict: 'over',
      shards: [
        { shard: 7, leader: '50', target: '0', known: 50, possible: 30 },
        { shard: 184, leader: '100', target: '90', known: 10, possible: 60 },
      ],
    });
  });

  test('is less what the target holds beyond the last progress', () => {
    const target = { ...TARGET, positions: { '184': '130', '7': '50' }, replayedUntil: at(1_500) };
    expect(forecast({ target })).toMatchObject({ known: 0, possible: 60, exposureMs: 500 });
  });

  test('is bounded in time by an advertised claim, and in nothing else', () => {
    const target = { ...TARGET, positions: {}, replayedUntil: at(-60_000) };
    expect(forecast({ target, claimBoundMs: 3_000 })).toMatchObject({
      known: 150,
      exposureMs: 3_000,
      verdict: 'within',
    });
  });

  test('of a leader whose right ended before it was last heard is what is known', () => {
    expect(forecast({ rightEndsAtMs: T0 - 1_000 })).toMatchObject({ possible: 0, total: 0, exposureMs: 0 });
  });

  test('is not known, rather than none, when anything it rests on is missing', () => {
    const missing: readonly Partial<LossInputs>[] = [
      { leader: { unknown: 'silent' } },
      { target: { unknown: 'silent' } },
      { rightEndsAtMs: null },
      { leader: { ...LEADER, peak: null } },
    ];
    for (const over of missing) {
      const found = forecast(over);
      expect(found).toMatchObject({ known: null, total: null, atMost: null, verdict: 'unknown' });
      expect(found.basis).toHaveLength(1);
    }
    const target = { ...TARGET, positions: {}, replayedUntil: null };
    expect(forecast({ target })).toMatchObject({ known: 150, exposureMs: null, verdict: 'unknown' });
  });

  test('in bytes can not be told between two timelines', () => {
    expect(forecast({ target: { ...TARGET, timeline: 2 } }).bytes).toBeNull();
  });

  test('whatever the leader confirmed, in no second more than in its busiest, the forecast is no less', () => {
    fc.assert(
      fc.property(
        fc.record({
          published: fc.nat(1_000),
          held: fc.nat(1_500),
          perSecond: fc.nat(50),
          windowMs: fc.integer({ min: 1, max: 5_000 }),
          // Where in a second the window begins, and how busy each second was that it touches.
          phaseMs: fc.nat(999),
          used: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 7, maxLength: 7 }),
        }),
        ({ published, held, perSecond, windowMs, phaseMs, used }) => {
          const touched = Math.floor((phaseMs + windowMs - 1) / 1_000) + 1;
          const each = used.slice(0, touched).map((share) => Math.round(perSecond * share));
          const confirmed = published + each.reduce((sum, count) => sum + count, 0);
          const truly = Math.max(0, confirmed - held);
          const peak = { decisionsPerSecond: perSecond, bytesPerSecond: 0, shards: { '1': perSecond } };
          const { total, shards } = forecast({
            leader: { ...LEADER, positions: { '1': String(published) }, peak },
            target: { ...TARGET, positions: { '1': String(held) } },
            rightEndsAtMs: T0 + windowMs,
          });
          expect(total).toBeGreaterThanOrEqual(truly);
          expect((shards[0]?.known ?? 0) + (shards[0]?.possible ?? 0)).toBeGreaterThanOrEqual(truly);
        },
      ),
    );
  });
});
