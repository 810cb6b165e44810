import type { OperationRecord } from '../../domain/operation-records.ts';
import type { FailoverRun } from '../failover/context.ts';
import type { OperationRun } from '../operation/run.ts';
import { stepResult } from '../operation/record.ts';
import type { SwitchoverPlan } from './plan-types.ts';

export interface SwitchoverRun extends FailoverRun {
  /** When this process, by its monotonic clock, sent the draining; it measures the pause better than two hosts' clocks. */
  readonly pauseBegan: { atMonotonicMs: number | undefined };
}

export const switchoverRun = (run: OperationRun): SwitchoverRun => ({
  ...run,
  fencedAtMonotonicMs: undefined,
  heldSinceMonotonicMs: run.clock.monotonicMs(),
  pauseBegan: { atMonotonicMs: undefined },
});

export const planOf = (record: OperationRecord): SwitchoverPlan => record.plan as unknown as SwitchoverPlan;

export interface MeasuredPause {
  readonly pauseMs: number | null;
  readonly measuredBy: 'monotonic clock' | 'wall clock';
}

/** How long nobody could decide, until now. */
export function measuredPause(run: SwitchoverRun, record: OperationRecord): MeasuredPause {
  const { atMonotonicMs } = run.pauseBegan;
  if (atMonotonicMs !== undefined) {
    const pauseMs = Math.round(run.clock.monotonicMs() - atMonotonicMs);
    return { pauseMs, measuredBy: 'monotonic clock' };
  }
  const drainedAt = stepResult(record, 'prepare')?.['drainedAt'];
  const pauseMs =
    typeof drainedAt === 'string' ? Math.max(0, run.clock.wallMs() - Date.parse(drainedAt)) : null;
  return { pauseMs, measuredBy: 'wall clock' };
}
