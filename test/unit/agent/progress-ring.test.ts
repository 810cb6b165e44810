import { expect, test } from 'vitest';
import { ProgressRing } from '../../../src/agent/progress-ring.ts';

const held = (atMs: number, positions: Record<string, string>, lsn = 0n) => ({ atMs, positions, lsn });

test('the busiest second is remembered for a minute, of the whole and of each shard', () => {
  const ring = new ProgressRing();
  ring.tick(held(0, { '1': '10' }, 100n));
  expect(ring.tick(held(1_000, { '1': '40', '2': '5' }, 1_100n))).toEqual({
    decisionsPerSecond: 35,
    bytesPerSecond: 1_000,
    shards: { '1': 30, '2': 5 },
  });
  expect(ring.tick(held(2_000, { '1': '41', '2': '5' }, 1_100n)).decisionsPerSecond).toBe(35);
  expect(ring.tick(held(60_500, { '1': '41', '2': '5' }, 1_100n)).decisionsPerSecond).toBe(35);
  expect(ring.tick(held(61_500, { '1': '41', '2': '5' }, 1_100n))).toMatchObject({ decisionsPerSecond: 1 });
  expect(ring.tick(held(125_000, { '1': '41', '2': '5' }, 1_100n))).toEqual({
    decisionsPerSecond: 0,
    bytesPerSecond: 0,
    shards: {},
  });
});

test('the first look tells of no rate, and looks close to each other are joined', () => {
  const ring = new ProgressRing();
  expect(ring.tick(held(0, { '1': '1000' }, 0n)).decisionsPerSecond).toBe(0);
  expect(ring.tick(held(20, { '1': '1004' }, 0n)).decisionsPerSecond).toBe(0);
  expect(ring.tick(held(1_000, { '1': '1010' }, 0n)).decisionsPerSecond).toBe(10);
});

test('a look that came late counts by the time that it took', () => {
  const ring = new ProgressRing();
  ring.tick(held(0, {}, 0n));
  expect(ring.tick(held(4_000, { '7': '10' }, 10n))).toEqual({
    decisionsPerSecond: 3,
    bytesPerSecond: 3,
    shards: { '7': 3 },
  });
});
