import type { Clock } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import type {
  OperationKind,
  OperationRecord,
  OperationStatus,
  OperationStep,
} from '../../domain/operation-records.ts';

/** A time-ordered name that a person can read out: `failover-20261122t205916-3f9a`. */
export function newOperationId(kind: OperationKind, now: Date, clock: Clock = systemClock): string {
  const stamp = now
    .toISOString()
    .replaceAll(/[-:]|\.\d+Z$/g, '')
    .toLowerCase();
  return `${kind}-${stamp}-${clock.hex(2)}`;
}

/** Names one run of one process: a resumed run is another coordinator, also on the same host. */
export const newCoordinatorId = (clock: Clock = systemClock): string =>
  `${clock.process}/${clock.uuid().slice(0, 8)}`;

export interface NewOperation {
  readonly id: string;
  readonly kind: OperationKind;
  readonly cluster: string;
  readonly phase: string;
  readonly actor: string;
  readonly reason: string;
  readonly planHash: string;
  readonly plan: Readonly<Record<string, unknown>>;
  readonly approvals: readonly string[];
  readonly coordinatorId: string;
  readonly now: Date;
}

/** A running operation whose first step, `phase`, begins now. */
export function newOperation(options: NewOperation): OperationRecord {
  const { coordinatorId, now, ...rest } = options;
  const at = now.toISOString();
  return {
    ...rest,
    status: 'running',
    coordinator: { id: coordinatorId, since: at },
    steps: [begun(options.phase, at)],
    error: null,
    createdAt: at,
    updatedAt: at,
  };
}

export interface StepEnd {
  readonly record: OperationRecord;
  readonly result: Readonly<Record<string, unknown>>;
  /** What the operation does next; a final status begins no step. */
  readonly phase: string;
  readonly status: OperationStatus;
  readonly error?: OperationRecord['error'];
  readonly now: Date;
}

/** Ends the step under way with its result and begins the next one. */
export function finishStep({ record, result, phase, status, error, now }: StepEnd): OperationRecord {
  const at = now.toISOString();
  const ended = record.steps.map((step) =>
    step.finishedAt === null ? { ...step, finishedAt: at, result } : step,
  );
  return {
    ...record,
    phase,
    status,
    steps: status === 'running' ? [...ended, begun(phase, at)] : ended,
    error: error ?? null,
    updatedAt: at,
  };
}

/** The same operation, driven by another coordinator from `phase` on. */
export function takenOver(options: {
  readonly record: OperationRecord;
  readonly phase: string;
  readonly coordinatorId: string;
  /** What a person approves with it. */
  readonly approve?: readonly string[];
  readonly now: Date;
}): OperationRecord {
  const { record, phase, coordinatorId, approve = [], now } = options;
  const at = now.toISOString();
  const underWay = record.steps.some(({ finishedAt }) => finishedAt === null);
  return {
    ...record,
    phase,
    status: 'running',
    approvals: [...record.approvals, ...approve.filter((one) => !record.approvals.includes(one))],
    coordinator: { id: coordinatorId, since: at },
    steps: underWay ? record.steps : [...record.steps, begun(phase, at)],
    error: null,
    updatedAt: at,
  };
}

/** The result that the latest finished step of that name recorded. */
export function stepResult(
  record: OperationRecord,
  name: string,
): Readonly<Record<string, unknown>> | undefined {
  return record.steps.findLast((step) => step.name === name && step.finishedAt !== null)?.result ?? undefined;
}

const begun = (name: string, at: string): OperationStep => ({
  name,
  startedAt: at,
  finishedAt: null,
  result: null,
});
