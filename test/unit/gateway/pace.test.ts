import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Pace } from '../../../src/gateway/pace.ts';

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => vi.useRealTimers());

/** A lane that takes all it can get, again and again, until it wants nothing. */
function lane(pace: Pace, wants: number) {
  const served: number[] = [];
  const state = { left: wants, served, ended: false };
  const run = async () => {
    while (state.left > 0) {
      const granted = await pace.take(() => state.left);
      const used = Math.min(granted, state.left);
      state.left -= used;
      served.push(used);
    }
    state.ended = true;
  };
  void run();
  return state;
}
const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

describe('a pace', () => {
  it('lets no more pass in any time than its rate and what it saved up', async () => {
    const pace = new Pace(20);
    const greedy = lane(pace, 1_000);
    for (let second = 1; second <= 5; second += 1) {
      await vi.advanceTimersByTimeAsync(1_000);
      expect(sum(greedy.served)).toBeLessThanOrEqual(20 * second + 5);
      expect(sum(greedy.served)).toBeGreaterThanOrEqual(20 * second - 1);
    }
  });

  it('lets a part of a second pass at once after it was idle, and no more', async () => {
    const pace = new Pace(20);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await pace.take(() => 128)).toBe(5);
  });

  it('serves who waits in turns: a hot lane leaves the others their part', async () => {
    const pace = new Pace(10);
    const hot = lane(pace, 1_000);
    const cold = [lane(pace, 2), lane(pace, 2), lane(pace, 2)];
    await vi.advanceTimersByTimeAsync(1_000);
    expect(cold.map(({ ended }) => ended)).toEqual([true, true, true]);
    expect(sum(hot.served)).toBeGreaterThanOrEqual(3);
  });

  it('spends nothing on who wants nothing any more', async () => {
    const pace = new Pace(10);
    const dead = Array.from({ length: 50 }, () => pace.take(() => 0));
    const alive = pace.take(() => 1);
    await vi.advanceTimersByTimeAsync(101);
    expect(await alive).toBe(1);
    expect(await Promise.all(dead)).toEqual(Array.from({ length: 50 }, () => 0));
  });

  it('gives to the next what was not used', async () => {
    const pace = new Pace(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await pace.take(() => 1)).toBe(1);
    const next = pace.take(() => 1);
    pace.giveBack(1);
    expect(await next).toBe(1);
  });

  it('follows a rate that is changed while somebody waits', async () => {
    const pace = new Pace(1);
    const waiting = lane(pace, 100);
    pace.perSecond = 50;
    await vi.advanceTimersByTimeAsync(2_000);
    expect(sum(waiting.served)).toBeGreaterThan(40);
  });

  it('lets everybody go when it ends', async () => {
    const pace = new Pace(1);
    const waiting = [pace.take(() => 3), pace.take(() => 3)];
    pace.end();
    expect(await Promise.all(waiting)).toEqual([Infinity, Infinity]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
