import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LagRing } from '../../../src/agent/lag-ring.ts';
import { renewInMs, rightEndsAt, rightLeftMs } from '../../../src/agent/lease-right.ts';
import type { RpoAction } from '../../../src/domain/contract.ts';
import { decisionBound, type GateState, nextGate } from '../../../src/agent/rpo-gate.ts';

const heard = (mark: number, replayed: bigint) => ({ replayedLsn: replayed, replyMark: String(mark) });

const understated = (history: readonly { wrote: number; behind: number }[]) => {
  const ring = new LagRing(8);
  const flushedAt: { at: number; lsn: bigint }[] = [];
  let lsn = 0n;
  let replayed = 0n;
  return history.some(({ wrote, behind }, index) => {
    lsn += BigInt(wrote);
    const at = index * 100;
    flushedAt.push({ at, lsn });
    const could = lsn - BigInt(behind);
    replayed = could > replayed ? could : replayed;
    ring.tick(at, lsn, heard(index, replayed));
    const truth = flushedAt.findLast((entry) => entry.lsn <= replayed)?.at ?? 0;
    return (ring.lagMs(at) ?? Infinity) < at - truth;
  });
};

describe('the lag of the remote follower', () => {
  test('is unknown until it has been heard twice', () => {
    const ring = new LagRing(100);
    expect(ring.lagMs(0)).toBeUndefined();
    ring.tick(0, 10n, heard(1, 10n));
    expect(ring.lagMs(0)).toBeUndefined();
    ring.tick(100, 10n, heard(2, 10n));
    expect(ring.lagMs(100)).toBe(100);
  });

  test('counts from the newest moment whose log it has replayed', () => {
    const ring = new LagRing(100);
    ring.tick(0, 10n, heard(1, 10n));
    ring.tick(200, 20n, heard(2, 10n));
    ring.tick(400, 30n, heard(3, 20n));
    expect(ring.lagMs(400)).toBe(200);
    ring.tick(600, 40n, heard(4, 20n));
    expect(ring.lagMs(600)).toBe(400);
  });

  test('of an idle system stays fresh while it answers, and grows once it does not', () => {
    const ring = new LagRing(100);
    for (let tick = 0; tick <= 20; tick += 1) ring.tick(tick * 200, 10n, heard(tick, 10n));
    expect(ring.lagMs(4_000)).toBe(200);
    for (let tick = 21; tick <= 40; tick += 1) ring.tick(tick * 200, 10n, heard(20, 10n));
    expect(ring.lagMs(8_000)).toBe(8_000 - 3_800);
    ring.tick(8_200, 10n, { replayedLsn: undefined, replyMark: undefined });
    expect(ring.lagMs(8_200)).toBe(8_200 - 3_800);
  });

  test('is never under-stated, however the ring is thinned', () => {
    const ticks = fc.array(
      fc.record({ wrote: fc.integer({ min: 0, max: 5 }), behind: fc.integer({ min: 0, max: 8 }) }),
      { minLength: 2, maxLength: 80 },
    );
    const outcome = fc.check(fc.property(ticks, (history) => !understated(history)));
    expect(outcome.counterexample).toBeNull();
  });
});

describe('the RPO gate', () => {
  const rpo = { budgetMs: 5_000, gateMs: 3_000, releaseMs: 1_000, action: 'degrade' } as const;
  const boundOnceWithdrawn = (action: RpoAction, freshAtMs: number | undefined) =>
    decisionBound({ state: 'withdrawn', freshAtMs, nowMs: 700, rpo: { ...rpo, action } });
  const next = (state: GateState, lagMs: number | undefined, withdrawnInEtcd = false) =>
    nextGate({ state, lagMs, withdrawnInEtcd, hasObserver: true, rpo, headStartMs: 500 });

  test('falls at the gate and rises only below the release', () => {
    expect(next('advertised', 2_400)).toBe('advertised');
    expect(next('advertised', 2_500)).toBe('withdrawing');
    expect(next('withdrawing', 2_000, false)).toBe('withdrawing');
    expect(next('withdrawing', 2_000, true)).toBe('withdrawn');
    expect(next('withdrawn', 1_500)).toBe('withdrawn');
    expect(next('withdrawn', 900)).toBe('advertised');
    expect(next('unproved', undefined)).toBe('withdrawing');
    expect(next('advertised', undefined)).toBe('withdrawing');
  });

  test('without a remote follower claims nothing and bounds nothing', () => {
    for (const state of ['none', 'unproved', 'advertised', 'withdrawing', 'withdrawn'] as const)
      expect(
        nextGate({ state, lagMs: 0, withdrawnInEtcd: false, hasObserver: false, rpo, headStartMs: 500 }),
      ).toBe('none');
    expect(decisionBound({ state: 'none', freshAtMs: undefined, nowMs: 7, rpo })).toBeUndefined();
  });

  test('bounds decisions by the last proof until etcd says that the claim is withdrawn', () => {
    const bound = (state: GateState, freshAtMs: number | undefined = 100) =>
      decisionBound({ state, freshAtMs, nowMs: 700, rpo });
    expect(bound('advertised')).toBe(3_100);
    expect(bound('withdrawing')).toBe(3_100);
    expect(bound('withdrawn')).toBeUndefined();
    expect(decisionBound({ state: 'unproved', freshAtMs: undefined, nowMs: 700, rpo })).toBe(700);
  });

  test('once withdrawn, bounds nothing when decisions go on, and all of them when they are refused', () => {
    for (const freshAtMs of [undefined, 100, 600]) {
      expect(boundOnceWithdrawn('degrade', freshAtMs)).toBeUndefined();
      expect(boundOnceWithdrawn('throttle', freshAtMs)).toBeUndefined();
      // Also between release and gate, where the last proof plus the gate is still to come.
      expect(boundOnceWithdrawn('close', freshAtMs)).toBe(700);
    }
  });
});

describe('a leader’s right', () => {
  test('ends a margin before the TTL, counted from before the renewal was sent', () => {
    expect(rightEndsAt(1_000, { ttlMs: 3_000, marginMs: 400 })).toBe(3_600);
    expect(rightLeftMs(3_600, 3_000)).toBe(600);
    expect(rightLeftMs(3_600, 9_000)).toBe(0);
  });

  test('is renewed at its cadence, at once when that has passed', () => {
    expect(renewInMs(1_000, 1_200, 700)).toBe(500);
    expect(renewInMs(1_000, 2_000, 700)).toBe(0);
  });

  test('that was renewed never ends after the one that a coordinator waits out', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(10_000), fc.integer({ min: 1, max: 1_000 }), (sentAt, delay, margin) => {
        const takenByEtcdAt = sentAt + delay;
        expect(rightEndsAt(sentAt, { ttlMs: 3_000, marginMs: margin })).toBeLessThan(takenByEtcdAt + 3_000);
      }),
    );
  });
});
