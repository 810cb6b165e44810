import { expect, test } from 'vitest';
import { Wake } from '../../../src/clock/wake.ts';

/** Timers that fire when they are told to. */
function world() {
  const timers = new Set<() => void>();
  const wake = new Wake({
    after: (_ms, call) => {
      timers.add(call);
      return () => timers.delete(call);
    },
  });
  let rests = 0;
  const rest = (ms = 1_000, signal?: AbortSignal) => {
    rests += 1;
    void wake.rest(ms, signal).then(() => (rests -= 1));
  };
  const resting = async () => {
    await Promise.resolve();
    await Promise.resolve();
    return rests;
  };
  return { wake, timers, rest, resting };
}

test('a rest ends when its time is over, and only then', async () => {
  const { timers, rest, resting } = world();
  rest();
  expect(await resting()).toBe(1);
  for (const fire of timers) fire();
  expect(await resting()).toBe(0);
  expect(timers.size).toBe(0);
});

test('news ends a rest at once, and the next one is whole again', async () => {
  const { wake, timers, rest, resting } = world();
  rest();
  wake.call();
  expect(await resting()).toBe(0);
  expect(timers.size).toBe(0);
  rest();
  expect(await resting()).toBe(1);
});

test('news while nobody rests ends the next rest, and that one only', async () => {
  const { wake, rest, resting } = world();
  wake.call();
  rest();
  expect(await resting()).toBe(0);
  rest();
  expect(await resting()).toBe(1);
});

test('what came before a look began ends no rest after it; what came since does', async () => {
  const { wake, rest, resting } = world();
  wake.call();
  wake.seen();
  rest();
  expect(await resting()).toBe(1);
  wake.call();
  expect(await resting()).toBe(0);
  wake.seen();
  wake.call();
  rest();
  expect(await resting()).toBe(0);
});

test('a signal ends a rest, and lets none begin', async () => {
  const { timers, rest, resting } = world();
  const ending = new AbortController();
  rest(1_000, ending.signal);
  ending.abort();
  expect(await resting()).toBe(0);
  expect(timers.size).toBe(0);
  rest(1_000, ending.signal);
  expect(await resting()).toBe(0);
  rest(0);
  expect(await resting()).toBe(0);
});
