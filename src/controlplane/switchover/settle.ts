import { auditIn } from '../audit.ts';
import { readOwnCluster, termOf } from '../failover/context.ts';
import { prefixOf } from '../failover/promotion.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { stepResult } from '../operation/record.ts';
import { interrupted, report, stalled, transition } from '../operation/run.ts';
import { waitFor } from '../operation/wait.ts';
import { type MeasuredPause, measuredPause, planOf, type SwitchoverRun } from './context.ts';
import { releaseCluster } from './ending.ts';

/** Waits until the new leader holds its lease and says that it leads, and ends the operation with the pause until the lease. */
export async function settleStep(run: SwitchoverRun, held: HeldOperation): Promise<HeldOperation> {
  const { id, actor, planHash, approvals } = held.value;
  const { leader, term } = planOf(held.value);
  const next = prefixOf(held.value).member;
  const nextTerm = termOf(held.value);
  const timeoutMs = run.contract.deadlines.openMs;
  let pause: MeasuredPause | undefined;
  const waited = await waitFor({
    check: async () => {
      const { view } = await readOwnCluster(run, held, 'open');
      const lease = view.lease?.value;
      if (lease?.leader === next && lease.term === nextTerm) {
        pause ??= measuredPause(run, held.value);
        const heartbeat = view.heartbeats.get(next)?.value;
        if (heartbeat?.state === 'leading' && heartbeat.term >= nextTerm) return view;
      }
      const detail =
        pause === undefined
          ? `waiting for ${next} to take its lease`
          : `waiting for ${next} to say that it leads`;
      report(run, held.value, { state: 'waiting', detail });
      return undefined;
    },
    timeoutMs,
    signal: run.signal,
    clock: run.clock,
    pause: run.pause,
  });
  if (waited.kind === 'interrupted') throw interrupted(run, held.value);
  if (waited.kind === 'timed-out') {
    throw stalled({
      record: held.value,
      code: 'settle_overdue',
      message: `${next} is open under term ${nextTerm} but does not lead yet, after ${timeoutMs} ms`,
      lastError: waited.lastError,
    });
  }
  const result = {
    leader: next,
    term: nextTerm,
    drainedAt: stepResult(held.value, 'prepare')?.['drainedAt'] ?? null,
    openedAt: stepResult(held.value, 'open')?.['openedAt'] ?? null,
    ...(pause ?? { pauseMs: null, measuredBy: 'wall clock' }),
  };
  const moved = await transition(run, {
    held,
    event: 'completed',
    result,
    with: (transaction) => {
      releaseCluster(transaction, run.keys, waited.value);
      const entry = {
        actor,
        action: 'switchover.finish',
        target: held.value.cluster,
        operation: id,
        planHash,
        before: { leader, term },
        after: { ...result, prefix: prefixOf(held.value), approvals },
      };
      auditIn(transaction, run.keys, entry, run.clock);
    },
  });
  return moved ?? held;
}
