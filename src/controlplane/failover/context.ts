import { type Clock, nowOf, timestampOf } from '../../clock/clock.ts';
import type { Contract } from '../../domain/contract.ts';
import { CapstanError, ExitCode, refusedError, unknownError } from '../../domain/errors.ts';
import type { AuthorityPhase, AuthorityRecord, OperationRecord } from '../../domain/records.ts';
import type { EtcdPort } from '../../etcd/port.ts';
import { type ClusterView, readClusterView } from '../cluster-view.ts';
import type { Keys } from '../keys.ts';
import type { HeldOperation, OperationJournal } from '../operation-journal.ts';
import { finishStep } from '../operation-record.ts';
import type { Transaction, Versioned } from '../store.ts';
import { advance, type FailoverEvent, type FailoverPhase, parsePhase, statusOf } from './phases.ts';
import type { FailoverPlan } from './plan-types.ts';

export interface FailoverProgress {
  readonly operation: string;
  readonly step: FailoverPhase;
  readonly state: 'begun' | 'waiting' | 'finished';
  /** For people: what is waited for, or what came out. */
  readonly detail: string | null;
  readonly at: string;
}

/** What one coordinator carries from step to step; everything that must survive it is in the journal. */
export interface FailoverRun {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly contract: Contract;
  readonly journal: OperationJournal;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: FailoverProgress) => void) | undefined;
  /** This process's monotonic clock before the fence was sent; undefined in a resumed run, which then measures by the wall clock. */
  readonly fencedAtMonotonicMs: number | undefined;
}

/** Carries out the effect of the phase that the operation is in, and returns it as it is afterwards. */
export type FailoverStep = (run: FailoverRun, held: HeldOperation) => Promise<HeldOperation>;

/** The journaled phase. A phase of a later version of Capstan is refused: `operation_phase_unknown` (exit 4). */
export function phaseOf({ id, phase }: OperationRecord): FailoverPhase {
  const known = parsePhase(phase);
  if (known !== undefined) return known;
  throw refusedError(
    `operation ${id} is in phase ${JSON.stringify(phase)}, which this version doesn't know`,
    {
      code: 'operation_phase_unknown',
      next: 'use the version of Capstan that began the operation',
      data: { operation: id },
    },
  );
}

export const planOf = (record: OperationRecord): FailoverPlan => record.plan as unknown as FailoverPlan;

/** The term that this operation fences and opens under. */
export const termOf = (record: OperationRecord): number => planOf(record).nextTerm;

export interface StepTransition {
  readonly held: HeldOperation;
  readonly event: FailoverEvent;
  readonly result: Readonly<Record<string, unknown>>;
  readonly error?: OperationRecord['error'];
  readonly with?: (transaction: Transaction) => void;
}

/**
 * Moves the operation by one event, with whatever else belongs to it, in one transaction. Undefined: another expected
 * record has changed meanwhile and nothing was written; the step reads again.
 */
export async function transition(
  run: FailoverRun,
  change: StepTransition,
): Promise<HeldOperation | undefined> {
  const { held, event, result, error = null } = change;
  const phase = advance(phaseOf(held.value), event);
  const next = finishStep({
    record: held.value,
    result,
    phase,
    status: statusOf(phase),
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

/**
 * Reads the cluster and demands that its authority is where this operation left it, and that no other coordinator has
 * taken over (`operation_superseded`). Anything else was not written by Capstan: `authority_mismatch` (exit 1).
 */
export async function readOwnCluster(
  run: FailoverRun,
  held: HeldOperation,
  phase: AuthorityPhase,
): Promise<{ readonly view: ClusterView; readonly authority: Versioned<AuthorityRecord> }> {
  const { cluster, id } = held.value;
  const [view] = await Promise.all([
    readClusterView(run.etcd, run.keys, cluster),
    run.journal.assertHeld(held),
  ]);
  const authority = view?.authority;
  const ours =
    authority?.value.phase === phase &&
    authority.value.term === termOf(held.value) &&
    (phase === 'open' || authority.value.operation === id);
  if (view !== undefined && authority !== undefined && ours) return { view, authority };
  // The operation may have moved between the two reads; then that is the truth to tell.
  await run.journal.assertHeld(held);
  throw new CapstanError(
    `cluster ${cluster} is not in phase ${phase} under term ${termOf(held.value)} as operation ${id} left it`,
    {
      code: 'authority_mismatch',
      exit: ExitCode.bug,
      next: `capstan cluster show ${cluster}`,
      data: { operation: id, authority: authority?.value ?? null },
    },
  );
}

/** The first Ctrl-C: what was done stays done, and any coordinator may go on. */
export function interrupted({ id, cluster }: OperationRecord, left: readonly string[]): CapstanError {
  return unknownError(`failover of ${cluster} was interrupted; left to do: ${left.join(', ')}`, {
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
}): CapstanError {
  const { record, code, message, lastError } = options;
  return unknownError(message, {
    code,
    next: `capstan operation resume ${record.id}`,
    retryable: true,
    data: { operation: record.id, phase: record.phase },
    ...(lastError === undefined ? {} : { cause: lastError }),
  });
}

export function report(
  run: FailoverRun,
  about: Pick<FailoverProgress, 'operation' | 'step' | 'state'> & { readonly detail?: string },
): void {
  run.onProgress?.({ ...about, detail: about.detail ?? null, at: timestampOf(run.clock) });
}
