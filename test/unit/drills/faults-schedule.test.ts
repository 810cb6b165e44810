import { array, assert, constantFrom, integer, property, record } from 'fast-check';
import { expect, test } from 'vitest';
import { FAULTS } from '../../../src/drills/faults/registry.ts';
import { planFaults, planRounds } from '../../../src/drills/faults/schedule.ts';

const names = [...FAULTS.keys()];
const drills = record({
  seed: integer({ min: 0, max: 2 ** 32 - 1 }),
  faults: array(constantFrom(...names), { maxLength: 40 }),
  durationMs: integer({ min: 25_000, max: 600_000 }),
});

test('each named fault has one window inside the duration, as long as it needs and no longer than it may', () => {
  assert(
    property(drills, (drill) => {
      const planned = planFaults(drill);
      expect(planned.map(({ fault }) => fault).toSorted()).toEqual(drill.faults.toSorted());
      for (const { fault, atMs, holdMs, draw } of planned) {
        const bounds = FAULTS.get(fault)?.holdMs;
        expect(holdMs).toBeGreaterThanOrEqual(bounds?.min ?? Infinity);
        expect(holdMs).toBeLessThanOrEqual(bounds?.max ?? 0);
        expect(atMs).toBeGreaterThan(0);
        expect(atMs + holdMs).toBeLessThanOrEqual(drill.durationMs - 1_000);
        expect(draw >= 0 && draw < 1).toBe(true);
      }
      const times = planned.map(({ atMs }) => atMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    }),
  );
});

test('the seed alone fixes the windows, and another fault in the list changes none of the others', () => {
  assert(
    property(drills, constantFrom(...names), (drill, added) => {
      const planned = planFaults(drill);
      expect(planFaults(drill)).toEqual(planned);
      const more = planFaults({ ...drill, faults: [...drill.faults, added] });
      for (const one of planned) expect(more).toContainEqual(one);
    }),
  );
});

test('windows and draws spread over their whole range', () => {
  const planned = Array.from({ length: 400 }, (_, seed) =>
    planFaults({ seed, faults: ['kill-leader'], durationMs: 30_000 }),
  ).flat();
  const share = (is: (one: (typeof planned)[number]) => boolean) =>
    planned.filter(is).length / planned.length;
  expect(share(({ draw }) => draw < 0.5)).toBeGreaterThan(0.35);
  expect(share(({ draw }) => draw < 0.5)).toBeLessThan(0.65);
  expect(share(({ atMs }) => atMs < 12_000)).toBeGreaterThan(0.3);
  expect(share(({ atMs }) => atMs > 12_000)).toBeGreaterThan(0.3);
  expect(share(({ holdMs }) => holdMs > 3_500)).toBeGreaterThan(0.35);
});

const refusal = (run: () => unknown) => {
  try {
    run();
    return undefined;
  } catch (error) {
    return error;
  }
};

test('a fault that doesn’t exist is refused, and so is a drill that is too short for one', () => {
  expect(refusal(() => planFaults({ seed: 1, faults: ['kill-moon'], durationMs: 30_000 }))).toMatchObject({
    code: 'fault_unknown',
    exit: 2,
  });
  const short = refusal(() => planFaults({ seed: 1, faults: ['pause-leader'], durationMs: 5_000 }));
  expect(short).toMatchObject({ code: 'drill_too_short', exit: 2 });
  const { leastMs } = (short as { data: { leastMs: number } }).data;
  expect(planFaults({ seed: 1, faults: ['pause-leader'], durationMs: leastMs })).toHaveLength(1);
  expect(planFaults({ seed: 1, faults: [], durationMs: 1 })).toEqual([]);
});

test('rounds are drawn from the seed and the list: as many as asked for, of every fault some, each of the length that it needs', () => {
  const faults = ['kill-leader-failover', 'pause-leader-failover', 'full-disk-failover'];
  const rounds = planRounds({ seed: 7, faults, rounds: 20 });
  expect(rounds).toHaveLength(20);
  expect(new Set(rounds.map(({ fault }) => fault))).toEqual(new Set(faults));
  for (const { fault, holdMs } of rounds)
    expect(holdMs).toBeGreaterThanOrEqual(FAULTS.get(fault)?.holdMs.min ?? Infinity);
  expect(planRounds({ seed: 7, faults, rounds: 20 })).toEqual(rounds);
  expect(planRounds({ seed: 8, faults, rounds: 20 })).not.toEqual(rounds);
  expect(planRounds({ seed: 7, faults, rounds: 3 })).toEqual(rounds.slice(0, 3));
  expect(refusal(() => planRounds({ seed: 1, faults: ['kill-moon'], rounds: 2 }))).toMatchObject({
    code: 'fault_unknown',
  });
});
