import { expect, test } from 'vitest';
import { shardRanges } from '../../../src/cli/present/rebalance-plan.ts';
import { parseShards } from '../../../src/cli/shard-list.ts';

test.each([
  ['184', [184]],
  ['184,186', [184, 186]],
  ['200-203, 7', [200, 201, 202, 203, 7]],
])('%s names shards', (input, shards) => {
  expect(parseShards(input)).toEqual(shards);
});

test.each(['', 'x', '5-', '9-5', '1,,2', '-1', '1234567'])('%j names no shards', (input) => {
  expect(parseShards(input)).toBeUndefined();
});

test('shards are shown as ranges', () => {
  expect(shardRanges([4, 1, 2, 3, 9, 11, 10])).toBe('1-4, 9-11');
});
