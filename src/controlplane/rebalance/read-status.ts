import type { Clock } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import { type CapstanError, refusedError } from '../../domain/errors.ts';
import type { MoveOutcome, MoveRecord, OtherMoveReport, OwnerMoveReport } from '../../domain/move-records.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { EtcdReader } from '../../etcd/port.ts';
import { type EstateSnapshot, readEstateSnapshot } from '../estate-snapshot.ts';
import type { Keys } from '../keys.ts';
import { listOperations, readOperation } from '../operation/journal.ts';
import { streamsOf } from './context.ts';
import { nextStep } from './next-step.ts';
import { planOf } from './phases.ts';
import type { RebalancePlan } from './plan-types.ts';
import { stepWords } from './step-words.ts';
import type { StreamView } from './stream-view.ts';

export interface StreamStatus {
  readonly record: MoveRecord;
  /** What a coordinator would do with it next, in words. */
  readonly next: string;
  readonly plannedRows: string | null;
  readonly owner: OwnerMoveReport | null;
  readonly other: OtherMoveReport | null;
  /** At the present rate, until the disk is full of what the slot keeps back; null: not known, or nothing is written. */
  readonly fullInMs: number | null;
  readonly problems: readonly string[];
}

export interface RebalanceStatus {
  readonly operation: OperationRecord;
  readonly plan: RebalancePlan;
  readonly streams: readonly StreamStatus[];
  /** Planned, and neither begun nor ended. */
  readonly waiting: readonly number[];
  readonly outcomes: readonly MoveOutcome[];
}

/**
 * One rebalance, or all that are under way, with what both leaders say of each stream. Throws `operation_not_found`,
 * `rebalance_not_found`, `estate_missing` (exit 4).
 */
export async function readRebalanceStatus(about: {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly id?: string | undefined;
  readonly clock?: Clock;
}): Promise<readonly RebalanceStatus[]> {
  const { etcd, keys, id, clock = systemClock } = about;
  const [operations, estate] = await Promise.all([
    id === undefined
      ? listOperations({ etcd, keys, limit: Infinity })
      : readOperation({ etcd, keys, id }).then(({ value }) => [value]),
    readEstateSnapshot(etcd, keys),
  ]);
  const [only] = operations;
  if (id !== undefined && only !== undefined && only.kind !== 'rebalance') throw notARebalance(only);
  return operations
    .filter(({ kind, status }) => kind === 'rebalance' && (id !== undefined || status === 'running'))
    .map((operation) => statusOf({ keys, operation, estate, nowMs: clock.wallMs() }));
}

function statusOf(about: {
  readonly keys: Keys;
  readonly operation: OperationRecord;
  readonly estate: EstateSnapshot;
  readonly nowMs: number;
}): RebalanceStatus {
  const { keys, operation, estate } = about;
  const plan = planOf(operation);
  const views = streamsOf({ keys }, estate, operation.id);
  const outcomes = operation.outcomes ?? [];
  const ended = new Set(outcomes.map(({ stream }) => stream));
  return {
    operation,
    plan,
    streams: [...views.values()]
      .toSorted((a, b) => a.move.value.stream - b.move.value.stream)
      .map((view) => streamStatus(view, plan, about)),
    waiting: plan.streams
      .map(({ stream }) => stream)
      .filter((stream) => !views.has(stream) && !ended.has(stream)),
    outcomes,
  };
}

function streamStatus(
  view: StreamView,
  plan: RebalancePlan,
  {
    operation,
    estate,
    nowMs,
  }: { readonly operation: OperationRecord; readonly estate: EstateSnapshot; readonly nowMs: number },
): StreamStatus {
  const record = view.move.value;
  const { goal } = operation;
  const meant = goal?.streams.includes(record.stream) === true && operation.status === 'running';
  const step = nextStep({
    view,
    goal: meant ? { kind: goal.kind, askedAtMs: Date.parse(goal.askedAt) } : null,
    contract: estate.contract.value,
    ...plan.options,
    copies: new Map(),
    nowMs,
  });
  const owner = view.ownerSays?.value ?? null;
  const other = view.otherSays?.value ?? null;
  return {
    record,
    next: step.kind === 'so' ? 'nothing was asked for' : stepWords(step),
    plannedRows: plan.streams.find(({ stream }) => stream === record.stream)?.rows ?? null,
    owner,
    other,
    fullInMs: fullIn(owner),
    problems: [owner?.problem, other?.problem, other?.yielding].filter(
      (problem) => problem !== undefined && problem !== null,
    ),
  };
}

function fullIn(owner: OwnerMoveReport | null): number | null {
  const { diskFreeBytes = null, walBytesPerSecond = null } = owner ?? {};
  if (diskFreeBytes === null || walBytesPerSecond === null || walBytesPerSecond <= 0) return null;
  return Math.round((Number(diskFreeBytes) / walBytesPerSecond) * 1_000);
}

export const notARebalance = ({ id, kind }: Pick<OperationRecord, 'id' | 'kind'>): CapstanError =>
  refusedError(`operation ${id} is a ${kind}, not a rebalance`, {
    code: 'rebalance_not_found',
    next: 'capstan operation list',
  });
