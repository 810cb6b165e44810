import { expect, test } from 'vitest';
import { HeldShards } from '../../../src/projections/held-shards.ts';
import { Pace } from '../../../src/projections/pace.ts';

test('the log is asked for at once while more waits, often while it moves, and ever more rarely while it rests', () => {
  const pace = new Pace({ everyMs: 20, idleEveryMs: 250 });
  expect(pace.after({ entries: 9, more: true })).toBe(0);
  expect(pace.after({ entries: 1, more: false })).toBe(20);
  const rests = Array.from({ length: 10 }, () => pace.after({ entries: 0, more: false }));
  expect(rests.toSorted((one, other) => one - other)).toEqual(rests);
  expect(rests.at(-1)).toBe(250);
  expect(pace.after({ entries: 1, more: false })).toBe(20);
});

test('a shard that can’t be followed is asked for elsewhere after a while that grows, and then is like all others again', () => {
  let now = 0;
  const held = new HeldShards(() => now);
  expect(held.nextInMs).toBeUndefined();
  held.hold(7, 'a gap');
  expect([...held.due()]).toEqual([]);
  now += held.nextInMs ?? 0;
  expect([...held.due()]).toEqual([[1, [7]]]);
  held.hold(7, 'a gap');
  const second = held.nextInMs ?? 0;
  now += second;
  expect([...held.due()]).toEqual([[2, [7]]]);
  held.hold(7, 'behind');
  expect(held.nextInMs).toBeGreaterThan(second);
  expect(held.reasons).toEqual([{ shard: 7, why: 'behind' }]);
  held.release(7);
  expect(held.has(7)).toBe(false);
});

test('shards that are another’s now are forgotten', () => {
  const held = new HeldShards(() => 0);
  held.hold(7, 'x');
  held.hold(8, 'x');
  held.keep(new Set([8]));
  expect([held.has(7), held.has(8)]).toEqual([false, true]);
});
