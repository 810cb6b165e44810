import { expect, test } from 'vitest';
import { DRILLS, drillNamed } from '../../../src/drills/catalogue.ts';
import { FAULTS } from '../../../src/drills/faults/registry.ts';
import { planFaults } from '../../../src/drills/faults/schedule.ts';

test('every fault that a drill names exists, and every fault is in some drill', () => {
  const named = new Set(DRILLS.flatMap(({ faults }) => faults));
  expect([...named].filter((name) => !FAULTS.has(name))).toEqual([]);
  expect([...FAULTS.keys()].filter((name) => !named.has(name))).toEqual([]);
});

test('every invariant that a drill names is one of the twelve', () => {
  const known = new Set(Array.from({ length: 12 }, (_, index) => `I${index + 1}`));
  const strange = DRILLS.flatMap(({ invariants }) => invariants).filter((name) => !known.has(name));
  expect(strange).toEqual([]);
});

test('each drill has room for all of its faults, whatever the seed', () => {
  for (const { faults, durationMs, rounds } of DRILLS) {
    if (rounds !== null) continue;
    for (let seed = 1; seed <= 20; seed += 1) {
      const planned = planFaults({ faults, durationMs, seed });
      expect(planned.map(({ fault }) => fault).toSorted()).toEqual(faults.toSorted());
      for (const { atMs, holdMs } of planned) expect(atMs + holdMs).toBeLessThan(durationMs);
    }
  }
});

test('names are names, and one that is none is refused with the names', () => {
  expect(new Set(DRILLS.map(({ name }) => name)).size).toBe(DRILLS.length);
  expect(drillNamed('races').name).toBe('races');
  expect(() => drillNamed('luck')).toThrow(expect.objectContaining({ code: 'drill_unknown', exit: 2 }));
});
