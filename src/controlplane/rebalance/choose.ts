import { type CapstanError, refusedError } from '../../domain/errors.ts';
import type { MoveOutcome } from '../../domain/move-records.ts';
import type { RebalancePlan } from './plan-types.ts';

/**
 * The streams that carry the chosen shards, without those that have ended; all of them when none is chosen. The shards of a
 * stream go together: throws `shards_move_together` where only some are named, `shard_not_moving` (exit 4).
 */
export function chosenStreams(about: {
  readonly id: string;
  readonly plan: RebalancePlan;
  readonly outcomes: readonly MoveOutcome[];
  readonly shards: readonly number[] | undefined;
}): readonly number[] {
  const { id, plan, outcomes, shards } = about;
  const ended = new Set(outcomes.map(({ stream }) => stream));
  const left = plan.streams.filter(({ stream }) => !ended.has(stream));
  if (shards === undefined) return left.map(({ stream }) => stream);
  const chosen = new Set(shards);
  const known = new Set(left.flatMap((stream) => stream.shards));
  const strange = shards.find((shard) => !known.has(shard));
  if (strange !== undefined)
    throw refusedError(`operation ${id} does not move shard ${strange}`, {
      code: 'shard_not_moving',
      next: `capstan rebalance status ${id}`,
      data: { operation: id, shard: strange },
    });
  const meant = left.filter((stream) => stream.shards.some((shard) => chosen.has(shard)));
  for (const { stream, shards: all } of meant) {
    const missing = all.filter((shard) => !chosen.has(shard));
    if (missing.length > 0) throw together(id, stream, missing);
  }
  return meant.map(({ stream }) => stream);
}

const together = (id: string, stream: number, missing: readonly number[]): CapstanError =>
  refusedError(`the shards of stream ${stream} go together; not named: ${missing.join(', ')}`, {
    code: 'shards_move_together',
    next: `capstan rebalance status ${id}`,
    data: { operation: id, stream, missing },
  });
