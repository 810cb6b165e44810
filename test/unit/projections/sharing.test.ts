import { expect, test } from 'vitest';
import { holderOf, Sharing } from '../../../src/projections/sharing.ts';

const SHARDS = Array.from({ length: 480 }, (_, shard) => shard);

test('each shard has one holder, and all reckon the same, whatever the order of the names', () => {
  for (const shard of SHARDS) {
    expect(holderOf(shard, ['a', 'b', 'c'])).toBe(holderOf(shard, ['c', 'a', 'b']));
  }
});

test('shards are spread about evenly', () => {
  const held = Map.groupBy(SHARDS, (shard) => holderOf(shard, ['new-york', 'madrid', 'third']));
  for (const shards of held.values()) expect(shards.length).toBeGreaterThan(480 / 3 / 1.5);
});

test('a name that goes moves its own shards and no others', () => {
  for (const shard of SHARDS) {
    const before = holderOf(shard, ['a', 'b', 'c']);
    const after = holderOf(shard, ['a', 'b']);
    if (before !== 'c') expect(after).toBe(before);
  }
});

test('nobody holds a shard when nobody lives', () => {
  expect(holderOf(1, [])).toBeUndefined();
});

test('a projector counts itself, whether etcd has heard of it or not', () => {
  const sharing = new Sharing('a');
  expect(SHARDS.every((shard) => sharing.has(shard))).toBe(true);
  expect(sharing.live(['b'])).toBe(true);
  expect(sharing.names).toEqual(['a', 'b']);
  expect(sharing.live(['b', 'a'])).toBe(false);
  expect(SHARDS.filter((shard) => sharing.has(shard))).toEqual(
    SHARDS.filter((shard) => holderOf(shard, ['a', 'b']) === 'a'),
  );
  expect(sharing.live([])).toBe(true);
  expect(SHARDS.every((shard) => sharing.has(shard))).toBe(true);
});
