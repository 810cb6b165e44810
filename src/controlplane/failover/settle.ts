import { nowOf } from '../../clock/clock.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import { auditIn } from '../audit.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { stepResult } from '../operation/record.ts';
import { interrupted, report, stalled, transition } from '../operation/run.ts';
import { waitFor } from '../operation/wait.ts';
import { type FailoverRun, readOwnCluster, termOf } from './context.ts';
import { planOf } from './plan-types.ts';
import { prefixOf } from './promotion.ts';

/** Waits until the new leader holds its lease and says that it leads, and ends the operation with what it measured. */
export async function settleStep(run: FailoverRun, held: HeldOperation): Promise<HeldOperation> {
  const { id, cluster, actor, planHash, approvals } = held.value;
  const { leader, term } = planOf(held.value);
  const next = prefixOf(held.value).member;
  const timeoutMs = run.contract.deadlines.openMs;
  const waited = await waitFor({
    check: async () => {
      const { view } = await readOwnCluster(run, held, 'open');
      const missing = notServingYet(view, { leader: next, term: termOf(held.value) });
      if (missing === undefined) return view;
      report(run, held.value, { state: 'waiting', detail: missing });
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
      message: `${next} is open under term ${termOf(held.value)} but does not lead yet, after ${timeoutMs} ms`,
      lastError: waited.lastError,
    });
  }
  const result = {
    leader: next,
    term: termOf(held.value),
    ...measuredPause(run, held.value, nowOf(run.clock)),
    rtoMaxMs: run.contract.rto.maxMs,
  };
  const moved = await transition(run, {
    held,
    event: 'completed',
    result,
    with: (transaction) => {
      transaction
        .expect(run.keys.activeOperation(cluster), waited.value.activeOperation?.revision ?? '0')
        .delete(run.keys.activeOperation(cluster));
      const entry = {
        actor,
        action: 'failover.finish',
        target: cluster,
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

function notServingYet(
  view: ClusterView,
  { leader, term }: { readonly leader: string; readonly term: number },
): string | undefined {
  const lease = view.lease?.value;
  if (lease?.leader !== leader || lease.term !== term) return `waiting for ${leader} to take its lease`;
  const heartbeat = view.heartbeats.get(leader)?.value;
  if (heartbeat?.state !== 'leading' || heartbeat.term < term)
    return `waiting for ${leader} to lead (it is ${heartbeat?.state ?? 'silent'})`;
  return undefined;
}

/** The write pause: from the fence by one clock where one process saw both ends, from the fault by the wall clock. */
export function measuredPause(
  run: Pick<FailoverRun, 'fencedAtMonotonicMs' | 'clock'>,
  record: OperationRecord,
  now: Date,
): Readonly<Record<string, unknown>> {
  const fence = stepResult(record, 'fence');
  const faultAt = textOf(fence?.['faultAt']);
  const fencedAt = textOf(fence?.['fencedAt']);
  const openedAt = textOf(stepResult(record, 'open')?.['openedAt']);
  const sinceFenceMs =
    run.fencedAtMonotonicMs === undefined
      ? elapsedMs(fencedAt, now)
      : Math.round(run.clock.monotonicMs() - run.fencedAtMonotonicMs);
  return {
    faultAt,
    fencedAt,
    openedAt,
    servingAt: now.toISOString(),
    pauseMs: sinceFenceMs,
    measuredBy: run.fencedAtMonotonicMs === undefined ? 'wall clock' : 'monotonic clock',
    sinceFaultMs: elapsedMs(faultAt, now),
  };
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

const elapsedMs = (from: string | null, to: Date): number | null =>
  from === null ? null : Math.max(0, to.getTime() - Date.parse(from));
