import type { Contract } from '../../domain/contract.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { ClusterView } from '../cluster-view.ts';
import { stepResult } from '../operation/record.ts';
import { type FailoverPath, planOf, type RtoForecast } from './plan-types.ts';

/** From the proof to the first decision, where none was ever measured; far above what a quiet machine takes. */
const ASSUMED_TAKE_OVER_MS = 5_000;

/** A failover that was measured. */
export interface MeasuredPause {
  readonly operation: string;
  readonly path: FailoverPath;
  /** From the fence to the first decision. */
  readonly ms: number;
  /** What of it waited for the proof. */
  readonly proofMs: number;
}

/** The latest that were measured, the newest first. */
export function measuredPauses(operations: readonly OperationRecord[]): readonly MeasuredPause[] {
  return operations.flatMap((record) => {
    if (record.kind !== 'failover' || record.status !== 'done') return [];
    const ms = stepResult(record, 'settle')?.['pauseMs'];
    if (typeof ms !== 'number') return [];
    const path = planOf(record).path === 'regional' ? 'regional' : 'in-region';
    return [{ operation: record.id, path, ms, proofMs: path === 'regional' ? proofMsOf(record) : 0 }];
  });
}

function proofMsOf({ steps }: OperationRecord): number {
  const proof = steps.findLast(({ name, finishedAt }) => name === 'proof' && finishedAt !== null);
  return proof?.finishedAt === undefined || proof.finishedAt === null
    ? 0
    : Math.max(0, Date.parse(proof.finishedAt) - Date.parse(proof.startedAt));
}

/** How long the fence proof of a regional failover waits when nothing proves it sooner: the longer right, and the drift. */
export const leaseWaitMs = (view: ClusterView, contract: Contract): number =>
  Math.max(contract.lease.ttlMs, view.lease?.value.ttlMs ?? 0) + contract.lease.driftMs;

export function forecastRto(about: {
  readonly view: ClusterView;
  readonly contract: Contract;
  readonly nowMs: number;
  /** Whether it must lapse first. */
  readonly awaitsLapse: boolean;
  readonly proofMs: number;
  readonly measured: readonly MeasuredPause[];
  readonly path: FailoverPath;
}): RtoForecast {
  const { view, contract, nowMs, awaitsLapse, proofMs, measured, path } = about;
  const lease = view.lease?.value;
  const sinceFaultMs = lease === undefined ? 0 : Math.max(0, nowMs - Date.parse(lease.renewedAt));
  const lapseMs = awaitsLapse ? Math.max(0, (lease?.ttlMs ?? contract.lease.ttlMs) - sinceFaultMs) : 0;
  const last = measured.find((pause) => pause.path === path) ?? measured[0];
  const takeOverMs = last === undefined ? ASSUMED_TAKE_OVER_MS : Math.max(0, last.ms - last.proofMs);
  const forecastMs = sinceFaultMs + lapseMs + proofMs + takeOverMs;
  return {
    forecastMs,
    maxMs: contract.rto.maxMs,
    within: forecastMs <= contract.rto.maxMs,
    sinceFaultMs,
    lapseMs,
    proofMs,
    takeOverMs,
    basis:
      last === undefined
        ? `none was measured yet: ${formatDurationMs(ASSUMED_TAKE_OVER_MS)} are assumed for the take-over`
        : `the take-over as measured by ${last.operation}`,
  };
}
