import { operationArgument } from './arguments.ts';
import { CONFIRM_ERRORS, ETCD_ERRORS, MOVE_GOAL_ERRORS, OPERATION_ERRORS } from './error-groups.ts';
import { shardsArgument } from './shard-list.ts';

/** What every goal of a rebalance is asked of. */
export const goalArguments = {
  operation: operationArgument({ description: 'The rebalance’s operation.', required: true }),
  shards: shardsArgument({
    description: 'Only the streams of these shards, such as 184 or 200-210; else all.',
    multiple: true,
  }),
};

export const GOAL_ERRORS = [
  ...ETCD_ERRORS,
  'argument_invalid',
  'operation_not_found',
  ...CONFIRM_ERRORS,
  ...MOVE_GOAL_ERRORS,
  ...OPERATION_ERRORS,
] as const;

/** Undefined: none was named. */
export const shardsOf = (shards: readonly (readonly number[])[] | undefined): readonly number[] | undefined =>
  shards === undefined || shards.length === 0 ? undefined : [...new Set(shards.flat())];
