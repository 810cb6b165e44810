import { timestampOf } from '../../clock/clock.ts';
import { CapstanError, unknownError } from '../../domain/errors.ts';
import type { HeldOperation } from '../operation-journal.ts';
import { type FailoverRun, type FailoverStep, interrupted, phaseOf, report } from './context.ts';
import { withSignOfLife } from './coordinator-key.ts';
import { decideStep, proofStep } from './decision.ts';
import { freezeStep } from './freeze.ts';
import { type FailoverPhase, isFinal, stepsLeft } from './phases.ts';
import { failedError, openStep, promoteStep, verifyStep } from './promotion.ts';
import { settleStep } from './settle.ts';

/** Far above what agents that report anew can cause; beyond it something rewrites records without end. */
const ROUNDS_MAX = 100;
const CONFLICT_PAUSE_MS = 50;
/** Stops after which this coordinator may not write, or can't. */
const NOT_NOTED: ReadonlySet<string> = new Set([
  'operation_superseded',
  'etcd_outcome_unknown',
  'etcd_unreachable',
]);

type DrivenPhase = Exclude<FailoverPhase, 'fence' | 'done' | 'aborted' | 'failed'>;

const STEPS: Readonly<Record<DrivenPhase, FailoverStep>> = {
  freeze: freezeStep,
  proof: proofStep,
  decide: decideStep,
  promote: promoteStep,
  verify: verifyStep,
  open: openStep,
  settle: settleStep,
};

/**
 * Carries an operation on from wherever its journal says it is, until it is done. Between steps is where it may be
 * interrupted, superseded or killed; each step begins by reading what is.
 */
export const drive = (run: FailoverRun, begun: HeldOperation): Promise<HeldOperation> =>
  withSignOfLife(run, begun, () => driveToTheEnd(run, begun));

async function driveToTheEnd(run: FailoverRun, begun: HeldOperation): Promise<HeldOperation> {
  let held = begun;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const phase = phaseOf(held.value);
    if (phase === 'failed') throw failedError(held.value);
    if (isFinal(phase)) return held;
    if (!isDriven(phase)) throw new Error(`operation ${held.value.id} is journaled in phase ${phase}`);
    if (run.signal?.aborted === true) throw interrupted(held.value, stepsLeft(phase));
    report(run, { operation: held.value.id, step: phase, state: 'begun' });
    const next = await stepNotingWhyItStops(run, held, STEPS[phase]);
    if (next.revision === held.revision) await run.clock.sleep(CONFLICT_PAUSE_MS);
    else
      report(run, {
        operation: held.value.id,
        step: phase,
        state: 'finished',
        detail: `next: ${next.value.phase}`,
      });
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
async function stepNotingWhyItStops(
  run: FailoverRun,
  held: HeldOperation,
  step: FailoverStep,
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

const isDriven = (phase: FailoverPhase): phase is DrivenPhase => Object.hasOwn(STEPS, phase);
