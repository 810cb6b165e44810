import { type Clock, nowOf, timestampOf } from '../../clock/clock.ts';
import type { Contract } from '../../domain/contract.ts';
import { type CapstanError, unknownError } from '../../domain/errors.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { EtcdPort } from '../../etcd/port.ts';
import type { Keys } from '../keys.ts';
import type { Transaction } from '../store.ts';
import type { Pause } from './wait.ts';
import type { HeldOperation, OperationJournal } from './journal.ts';
import type { Machine, OperationEvent } from './machine.ts';
import { finishStep } from './record.ts';

export interface OperationProgress {
  readonly operation: string;
  readonly step: string;
  readonly state: 'begun' | 'waiting' | 'finished';
  /** For people: what is waited for, or what came out. */
  readonly detail: string | null;
  readonly at: string;
  /** This step and those that follow it, as far as is known now. */
  readonly left: readonly string[];
  /** Of a rebalance: the one of its streams that this is about. */
  readonly stream?: { readonly stream: number; readonly phase: string };
}

/** What one coordinator carries from step to step; everything that must survive it is in the journal. */
export interface OperationRun {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly contract: Contract;
  readonly journal: OperationJournal;
  readonly clock: Clock;
  readonly machine: Machine;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: OperationProgress) => void) | undefined;
  /** Ends early when something of the cluster changes in etcd; without it, waits look at intervals. */
  readonly pause?: Pause | undefined;
}

/** What an operation answers once it has ended; `changed: false`: it had ended before. */
export interface OperationResult {
  readonly changed: boolean;
  readonly operation: OperationRecord;
}

export interface StepTransition {
  readonly held: HeldOperation;
  readonly event: OperationEvent;
  readonly result: Readonly<Record<string, unknown>>;
  readonly error?: OperationRecord['error'];
  readonly with?: (transaction: Transaction) => void;
}

/**
 * Moves the operation by one event, with whatever else belongs to it, in one transaction. Undefined: another expected
 * record has changed meanwhile and nothing was written; the step reads again.
 */
export async function transition(
  run: OperationRun,
  change: StepTransition,
): Promise<HeldOperation | undefined> {
  const { held, event, result, error = null } = change;
  const { machine } = run;
  const phase = machine.advance(machine.phaseOf(held.value), event);
  const next = finishStep({
    record: held.value,
    result,
    phase,
    status: machine.statusOf(phase),
    error,
    now: nowOf(run.clock),
  });
  const written = await run.journal.update({
    held,
    next,
    ...(change.with === undefined ? {} : { with: change.with }),
  });
  return written.kind === 'written' ? written.held : undefined;
}

/** The first Ctrl-C: what was done stays done, and any coordinator may go on. */
export function interrupted(
  { machine }: Pick<OperationRun, 'machine'>,
  record: OperationRecord,
): CapstanError {
  const left = machine.stepsLeft(machine.phaseOf(record));
  const { id, kind, cluster } = record;
  return unknownError(`${kind} of ${cluster} was interrupted; left to do: ${left.join(', ')}`, {
    code: 'operation_interrupted',
    next: `capstan operation resume ${id}`,
    data: { operation: id, left },
  });
}

/** A step's time is up; the operation is still running, as it was. */
export function stalled(options: {
  readonly record: OperationRecord;
  readonly code: string;
  readonly message: string;
  readonly lastError: unknown;
  /** What a person may do instead of going on with it. */
  readonly or?: string;
}): CapstanError {
  const { record, code, message, lastError, or } = options;
  return unknownError(message, {
    code,
    next: [`capstan operation resume ${record.id}`, ...(or === undefined ? [] : [or])].join('; or '),
    retryable: true,
    data: { operation: record.id, phase: record.phase },
    ...(lastError === undefined ? {} : { cause: lastError }),
  });
}

/** Tells whoever watches. `step` is the one under way unless it is named. */
export function report(
  run: Pick<OperationRun, 'onProgress' | 'clock' | 'machine'>,
  record: Pick<OperationRecord, 'id' | 'phase'>,
  about: {
    readonly state: OperationProgress['state'];
    readonly detail?: string;
    readonly step?: string;
    readonly stream?: OperationProgress['stream'];
  },
): void {
  const step = about.step ?? record.phase;
  run.onProgress?.({
    operation: record.id,
    step,
    state: about.state,
    detail: about.detail ?? null,
    at: timestampOf(run.clock),
    left: run.machine.stepsLeft(run.machine.parse(step) ?? run.machine.first),
    ...(about.stream === undefined ? {} : { stream: about.stream }),
  });
}
