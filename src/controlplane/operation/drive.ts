import { timestampOf } from '../../clock/clock.ts';
import { CapstanError, ExitCode, unknownError } from '../../domain/errors.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import { ClusterChanges } from './cluster-changes.ts';
import { withSignOfLife } from './coordinator-key.ts';
import type { HeldOperation } from './journal.ts';
import { interrupted, type OperationRun, report } from './run.ts';

/** Far above what agents that report anew can cause; beyond it something rewrites records without end. */
const ROUNDS_MAX = 100;
const CONFLICT_PAUSE_MS = 50;
/** Stops after which this coordinator may not write, or can't. */
const NOT_NOTED: ReadonlySet<string> = new Set([
  'operation_superseded',
  'etcd_outcome_unknown',
  'etcd_unreachable',
]);

/** Carries out the effect of the phase that the operation is in, and returns it as it is afterwards. */
export type OperationStep<R extends OperationRun> = (run: R, held: HeldOperation) => Promise<HeldOperation>;

/** What each phase that can be under way does. */
export type OperationSteps<R extends OperationRun> = Readonly<Record<string, OperationStep<R>>>;

/**
 * Carries an operation on from wherever its journal says it is, until it has ended. Between steps is where it may be
 * interrupted, superseded or killed; each step begins by reading what is. One that fails is thrown with its error.
 */
export async function drive<R extends OperationRun>(
  run: R,
  steps: OperationSteps<R>,
  begun: HeldOperation,
): Promise<HeldOperation> {
  const changes = new ClusterChanges(run, begun.value.cluster);
  const watching = { ...run, pause: changes.pause };
  try {
    return await withSignOfLife(run, begun, () => driveToTheEnd(watching, steps, begun));
  } finally {
    await changes.close();
  }
}

async function driveToTheEnd<R extends OperationRun>(
  run: R,
  steps: OperationSteps<R>,
  begun: HeldOperation,
): Promise<HeldOperation> {
  const { machine } = run;
  let held = begun;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const phase = machine.phaseOf(held.value);
    if (phase === 'failed') throw failedError(held.value);
    if (machine.isFinal(phase)) return held;
    const step = steps[phase];
    if (step === undefined) throw new Error(`operation ${held.value.id} is journaled in phase ${phase}`);
    const urgent = machine.isUrgent(phase);
    if (run.signal?.aborted === true && !urgent) throw interrupted(run, held.value);
    report(run, held.value, { state: 'begun' });
    const next = await stepNotingWhyItStops(urgent ? { ...run, signal: undefined } : run, held, step);
    if (next.revision === held.revision) await run.clock.sleep(CONFLICT_PAUSE_MS);
    else report(run, held.value, { state: 'finished', detail: `next: ${next.value.phase}` });
    held = next;
  }
  throw unknownError(`operation ${held.value.id} makes no progress: what it reads keeps changing`, {
    code: 'operation_unsettled',
    retryable: true,
    next: `capstan operation resume ${held.value.id}`,
    data: { operation: held.value.id },
  });
}

/** What stops a step is put into the journal for whoever looks at the operation next; the phase stays. */
async function stepNotingWhyItStops<R extends OperationRun>(
  run: R,
  held: HeldOperation,
  step: OperationStep<R>,
): Promise<HeldOperation> {
  try {
    return await step(run, held);
  } catch (error) {
    if (!(error instanceof CapstanError) || NOT_NOTED.has(error.code)) throw error;
    const { code, message } = error;
    const next = { ...held.value, error: { code, message }, updatedAt: timestampOf(run.clock) };
    // Best effort: what stopped the step is what the caller must hear.
    await run.journal.write({ held, next }).catch(() => undefined);
    throw error;
  }
}

/** What a run answers once its operation has failed: what it was to open stays closed. */
function failedError({ id, error }: OperationRecord): CapstanError {
  return new CapstanError(error?.message ?? `operation ${id} failed`, {
    code: error?.code ?? 'operation_failed',
    exit: ExitCode.partial,
    next: `capstan operation show ${id}; once what it names is mended: capstan operation resume ${id}`,
    data: { operation: id },
  });
}
