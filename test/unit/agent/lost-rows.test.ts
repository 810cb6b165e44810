import { expect, test } from 'vitest';
import { cutsOf } from '../../../src/agent/salvage/lost-rows.ts';
import { mayHaveBeenAcknowledged } from '../../../src/agent/salvage/salvage.ts';

test('the log is cut where the first newer term began, or where a loss says, whichever is less', () => {
  const began = [
    { shard: 1, first: '10' },
    { shard: 2, first: '5' },
  ];
  const losses = [{ positions: { '1': '7', '3': '0' } }, { positions: { '1': '8', '2': '9' } }];
  expect([...cutsOf(began, losses)]).toEqual([
    [1, 8n],
    [2, 5n],
    [3, 1n],
  ]);
});

test('what a recorded voter flushed may have been told, and what a degraded leader alone held', () => {
  const voters = [{ member: 'b', incarnation: 'b-1' }];
  expect(mayHaveBeenAcknowledged({ voters }, 'b', 'b-1')).toBe(true);
  expect(mayHaveBeenAcknowledged({ voters }, 'b', 'b-2')).toBe(false);
  expect(mayHaveBeenAcknowledged({ voters }, 'a', 'a-1')).toBe(false);
  expect(mayHaveBeenAcknowledged({ voters: [] }, 'a', 'a-1')).toBe(true);
  expect(mayHaveBeenAcknowledged(undefined, 'b', 'b-1')).toBe(false);
});
