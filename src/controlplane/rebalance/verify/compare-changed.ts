import type { Clock } from '../../../clock/clock.ts';
import { refusedError } from '../../../domain/errors.ts';
import type { MoveDifference, Positions } from '../../../domain/move-records.ts';
import type { ShardId } from '../../../domain/shard.ts';
import { compareRound, type RoundOptions } from './changed-round.ts';
import { type Heads, throwIfStopped, withSnapshots } from './snapshot-pair.ts';

export interface ComparedChanges {
  readonly positions: Positions;
  readonly rows: number;
  /** Of the last round: rows that were changed later still. */
  readonly later: number;
  readonly differences: readonly MoveDifference[];
}

export interface CompareChangedOptions extends RoundOptions {
  /** Compared and equal up to here. */
  readonly since: Positions;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** Resolves when the next pair of snapshots may be taken. */
  readonly rest?: (() => Promise<void>) | undefined;
}

/**
 * Compares what was decided since: the logs' own rows, which must be dense, and every row that they name by key. A row that
 * owner changed later still is named by a later row of the log, so that nothing lies between two calls. `sealed`: nobody
 * decides, both sides must stand at the same positions, and while all is equal it is three short statements a side.
 * Throws `move_positions_differ` and `move_position_lost` (exit 4).
 */
export async function compareChanged(options: CompareChangedOptions): Promise<ComparedChanges> {
  const { shards, sealed, signal } = options;
  let done: ComparedChanges = { positions: options.since, rows: 0, later: 0, differences: [] };
  for (;;) {
    const round = await withSnapshots(options, (heads) => {
      if (sealed) demandEqualPositions(shards, heads);
      return compareRound(options, heads, done.positions);
    });
    done = {
      positions: { ...done.positions, ...round.positions },
      rows: done.rows + round.rows,
      later: round.later,
      differences: [...done.differences, ...round.differences],
    };
    if (round.last || done.differences.length > 0) return done;
    throwIfStopped(signal);
    await options.rest?.();
  }
}

function demandEqualPositions(
  shards: readonly ShardId[],
  { owner, other }: { readonly owner: Heads; readonly other: Heads },
): void {
  const differing = shards.filter((shard) => at(owner, shard) !== at(other, shard));
  if (differing.length === 0) return;
  const words = differing.map((shard) => `shard ${shard}: ${at(owner, shard)} and ${at(other, shard)}`);
  throw refusedError(`under the seal both sides must stand at the same positions; ${words.join(', ')}`, {
    code: 'move_positions_differ',
    retryable: true,
    next: 'nothing was handed over; cut over again: capstan rebalance cutover',
    data: { shards: differing },
  });
}

const at = (heads: Heads, shard: ShardId): string => heads.get(shard)?.position ?? 'no head';
