import { describe, expect, test } from 'vitest';
import {
  clusterArgument,
  lossArgument,
  memberArgument,
  operationArgument,
  shardArgument,
} from '../../../src/cli/arguments.ts';

/** oclif hands a parser more than these ask for. */
const parsed = (argument: { parse: unknown }, input: string): Promise<unknown> =>
  (argument.parse as (input: string, context: object, options: object) => Promise<unknown>)(input, {}, {});

describe('what -o name prints is taken back', () => {
  test.each([
    [clusterArgument(), 'cluster/c1', 'c1'],
    [memberArgument(), 'member/c1-madrid-1', 'c1-madrid-1'],
    [operationArgument(), 'operation/failover-20261122t205916-3f9a', 'failover-20261122t205916-3f9a'],
    [lossArgument(), 'loss/failover-20261122t205916-3f9a', 'failover-20261122t205916-3f9a'],
    [shardArgument(), 'shard/184', 184],
  ])('%#: %s', async (argument, printed, wanted) => {
    expect(await parsed(argument, printed)).toBe(wanted);
    expect(await parsed(argument, printed.slice(printed.indexOf('/') + 1))).toBe(wanted);
  });

  test('another kind’s name is refused', async () => {
    await expect(parsed(clusterArgument(), 'member/c1')).rejects.toMatchObject({ code: 'name_invalid' });
    await expect(parsed(shardArgument(), 'cluster/1')).rejects.toMatchObject({ code: 'argument_invalid' });
  });
});
