import { systemClock } from '../../clock/system-clock.ts';
import { refusedError } from '../../domain/errors.ts';
import type { MoveGoalKind } from '../../domain/move-records.ts';
import { OperationJournal } from '../operation/journal.ts';
import { askFor } from './ask.ts';
import { driveGoal, type RebalanceResult } from './drive.ts';
import { type RebalanceControl, rebalanceRun } from './run-context.ts';

export interface DriveRebalanceOptions extends RebalanceControl {
  /** The operation. */
  readonly id: string;
  readonly goal: MoveGoalKind;
  /** Only the streams of these shards, each named with all that go with it; undefined: all. */
  readonly shards?: readonly number[] | undefined;
  /** Of a cutover or reverse; undefined: the plan's. */
  readonly pauseBudgetMs?: number | undefined;
  readonly reason?: string | undefined;
}

/**
 * Asks a rebalance for a goal and drives it there, taking the operation over from whoever drives it. `changed: false`: every
 * chosen stream was so already. Refusals (exit 4) change nothing but the audit log. `cutover_backed_out` (exit 4): callers waited, and
 * the owner serves again. `rebalance_partial` (exit 6): some streams got there, `data.streams` says which. `move_differs` (exit 3).
 */
export async function driveRebalance(options: DriveRebalanceOptions): Promise<RebalanceResult> {
  const { etcd, keys, id, goal, signal, clock = systemClock } = options;
  if (signal?.aborted === true)
    throw refusedError('interrupted before anything was changed', {
      code: 'interrupted',
      next: `capstan rebalance ${goal} ${id}`,
    });
  const journal = new OperationJournal({ etcd, keys, clock });
  const asked = await askFor({ ...options, clock, journal });
  if (asked.kind === 'so') return { changed: false, operation: asked.operation, streams: [] };
  const { held, estate } = asked;
  return driveGoal(rebalanceRun({ control: options, clock, contract: estate.contract.value, journal, held }));
}
