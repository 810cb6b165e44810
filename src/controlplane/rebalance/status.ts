import type { Contract } from '../../domain/contract.ts';
import {
  type MoveDifference,
  type MoveOutcome,
  type MovePhase,
  type MoveRecord,
  otherOf,
  type VerificationCursor,
} from '../../domain/move-records.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import { nextStep } from './next-step.ts';
import { planOf } from './phases.ts';
import type { PlannedStream } from './plan-types.ts';
import type { StreamView } from './stream-view.ts';
import { nextCommand } from './next-command.ts';

/** Figures that aren't known are null, never zero. */
export interface StreamStatus {
  readonly stream: number;
  readonly shards: readonly number[];
  readonly from: string;
  readonly to: string;
  readonly owner: string;
  readonly phase: MovePhase;
  readonly attempt: number;
  readonly leg: number;
  readonly since: string;
  readonly paused: boolean;
  readonly tables: { readonly total: number; readonly ready: number } | null;
  readonly rowsCopied: string | null;
  readonly rowsPlanned: string;
  readonly bytesCopied: string | null;
  readonly bytesPlanned: string;
  /** On average since the phase began. */
  readonly bytesPerSecond: number | null;
  /** Until the copy has ended at that rate. */
  readonly etaMs: number | null;
  readonly lagBytes: string | null;
  readonly lagPositions: string | null;
  readonly wal: {
    readonly retainedBytes: string | null;
    readonly bytesPerSecond: number | null;
    /** Until the disk is full with what is kept for this slot, if nothing is applied any more. */
    readonly fullInMs: number | null;
  };
  readonly verification: {
    readonly ageMs: number | null;
    readonly rows: string | null;
    readonly laterRows: string | null;
    readonly cursor: VerificationCursor | null;
    readonly differences: readonly MoveDifference[];
  };
  readonly sealedForMs: number | null;
  /** Of the last handover, as callers felt it. */
  readonly pauseMs: number | null;
  readonly problems: readonly string[];
  readonly error: MoveRecord['error'];
  /** For people; null: nothing. */
  readonly waitsFor: string | null;
  /** The command that moves it forward; null: it goes on by itself. */
  readonly next: string | null;
}

export interface RebalanceStatus {
  readonly operation: string;
  readonly status: OperationRecord['status'];
  readonly phase: string;
  readonly goal: string | null;
  readonly streams: readonly StreamStatus[];
  readonly planned: readonly PlannedStream[];
  readonly ended: readonly MoveOutcome[];
  readonly error: OperationRecord['error'];
  /** The command that moves the whole forward; null: it has ended. */
  readonly next: string | null;
}

export interface StatusInputs {
  readonly operation: OperationRecord;
  /** Of this operation: `streamsOf`. */
  readonly streams: ReadonlyMap<number, StreamView>;
  readonly contract: Contract;
  /** Wall clock. */
  readonly nowMs: number;
}

/** Everything that is known of a rebalance at one moment. Pure. */
export function rebalanceStatus(inputs: StatusInputs): RebalanceStatus {
  const { operation, streams } = inputs;
  const ended = operation.outcomes ?? [];
  const known = new Set([...streams.keys(), ...ended.map(({ stream }) => stream)]);
  const shown = [...streams.values()].map((view) => streamStatus(inputs, view));
  return {
    operation: operation.id,
    status: operation.status,
    phase: operation.phase,
    goal: operation.goal?.kind ?? null,
    streams: shown,
    planned: planOf(operation).streams.filter(({ stream }) => !known.has(stream)),
    ended,
    error: operation.error,
    next: operation.status === 'running' ? nextOf(operation, shown) : null,
  };
}

function streamStatus(inputs: StatusInputs, view: StreamView): StreamStatus {
  const { operation, nowMs } = inputs;
  const { value: record } = view.move;
  const { stream, shards, from, to, owner, phase, attempt, leg, since, paused, error } = record;
  const planned = planOf(operation).streams.find((one) => one.stream === stream);
  const [sends, receives] = [view.ownerSays?.value, view.otherSays?.value];
  const elapsedMs = nowMs - Date.parse(since);
  const copied = receives?.bytesCopied ?? null;
  const rate = phase === 'copy' ? rateOf(copied, elapsedMs) : null;
  return {
    stream,
    shards,
    from,
    to,
    owner,
    phase,
    attempt,
    leg,
    since,
    paused,
    tables: receives?.tables ?? null,
    rowsCopied: receives?.rowsCopied ?? null,
    rowsPlanned: planned?.rows ?? '0',
    bytesCopied: copied,
    bytesPlanned: planned?.bytes ?? '0',
    bytesPerSecond: rate,
    etaMs: etaOf(planned?.bytes, copied, rate),
    lagBytes: receives?.lagBytes ?? null,
    lagPositions: receives?.lagPositions ?? null,
    wal: {
      retainedBytes: sends?.retainedWalBytes ?? null,
      bytesPerSecond: sends?.walBytesPerSecond ?? null,
      fullInMs: fullIn(sends?.diskFreeBytes ?? null, sends?.walBytesPerSecond ?? null),
    },
    verification: {
      ageMs: record.verification === null ? null : Math.max(0, nowMs - Date.parse(record.verification.at)),
      rows: record.verification?.rows ?? null,
      laterRows: record.verification?.laterRows ?? null,
      cursor: record.cursor,
      differences: record.differences,
    },
    sealedForMs: record.seal === null ? null : Math.max(0, nowMs - Date.parse(record.seal.at)),
    pauseMs: record.handover?.pauseMs ?? null,
    problems: problemsOf(record, view),
    error,
    waitsFor: waitsFor(inputs, view),
    next: nextCommand(record, { goal: operation.phase, ...verifyLimit(inputs) }),
  };
}

/** What a coordinator would wait for now, whether one is there or not. */
function waitsFor({ operation, contract, nowMs }: StatusInputs, view: StreamView): string | null {
  const { goal } = operation;
  const meant = goal?.streams.includes(view.move.value.stream) === true && operation.phase === goal.kind;
  const step = nextStep({
    view,
    goal: meant ? { kind: goal.kind, askedAtMs: Date.parse(goal.askedAt) } : null,
    contract,
    ...planOf(operation).options,
    compared: false,
    copies: new Map(),
    nowMs,
  });
  if (step.kind === 'wait') return step.for;
  if (step.kind === 'refused') return step.refusal.message;
  return step.kind === 'verify' ? 'the rows of both sides to be compared' : null;
}

const verifyLimit = ({ operation, nowMs }: StatusInputs) => ({
  verifyMaxAgeMs: planOf(operation).options.verifyMaxAgeMs,
  nowMs,
});

function problemsOf(record: MoveRecord, { ownerSays, otherSays }: StreamView): readonly string[] {
  const said = [
    [record.owner, ownerSays?.value.problem],
    [otherOf(record), otherSays?.value.problem],
    [otherOf(record), otherSays?.value.wayBack.waitingFor],
  ] as const;
  return said.flatMap(([cluster, problem]) =>
    typeof problem === 'string' ? [`${cluster}: ${problem}`] : [],
  );
}

function rateOf(bytes: string | null, elapsedMs: number): number | null {
  return bytes === null || elapsedMs <= 0 ? null : Math.round((Number(bytes) * 1_000) / elapsedMs);
}

function etaOf(planned: string | undefined, copied: string | null, rate: number | null): number | null {
  if (planned === undefined || copied === null || rate === null || rate <= 0) return null;
  return Math.round((Math.max(0, Number(planned) - Number(copied)) * 1_000) / rate);
}

function fullIn(freeBytes: string | null, bytesPerSecond: number | null): number | null {
  if (freeBytes === null || bytesPerSecond === null || bytesPerSecond <= 0) return null;
  return Math.round((Number(freeBytes) * 1_000) / bytesPerSecond);
}

/** The first thing that a stream asks for; where all go on by themselves, watching them. */
function nextOf({ id, phase }: OperationRecord, streams: readonly StreamStatus[]): string {
  if (phase !== 'standing') return `capstan operation resume ${id}, unless it is being driven`;
  return streams.find(({ next }) => next !== null)?.next ?? `capstan rebalance status ${id} --watch`;
}
