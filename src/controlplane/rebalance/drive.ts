import { timestampOf } from '../../clock/clock.ts';
import { CapstanError } from '../../domain/errors.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import { withSignOfLife } from '../operation/coordinator-key.ts';
import { report } from '../operation/run.ts';
import type { StreamAnswer } from './answers.ts';
import type { RebalanceRun } from './context.ts';
import { endGoal } from './end-goal.ts';
import { pursue } from './pursue.ts';

/** Stops after which this coordinator may not write, or can't. */
const NOT_NOTED: ReadonlySet<string> = new Set([
  'operation_superseded',
  'etcd_outcome_unknown',
  'etcd_unreachable',
]);

export interface RebalanceResult {
  /** False: it was so already. */
  readonly changed: boolean;
  readonly operation: OperationRecord;
  readonly streams: readonly StreamAnswer[];
}

/** Pursues the journaled goal and records what came of it. A goal that wasn't reached everywhere is thrown once it is recorded. */
export async function driveGoal(run: RebalanceRun): Promise<RebalanceResult> {
  const { value } = run.operation.held;
  report(run, value, { state: 'begun' });
  const { answers, failure } = await withSignOfLife(run, run.operation.held, async () => {
    await notingWhyItStops(run, () => pursue(run));
    return endGoal(run);
  });
  const { phase } = run.operation.held.value;
  report(run, value, { state: 'finished', detail: `next: ${phase}` });
  if (failure !== undefined) throw failure;
  return { changed: true, operation: run.operation.held.value, streams: answers };
}

/** What stops it is put into the journal for whoever looks at the operation next; the goal stays. */
async function notingWhyItStops(run: RebalanceRun, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof CapstanError) || NOT_NOTED.has(error.code)) throw error;
    const { code, message } = error;
    const { held } = run.operation;
    const next = { ...held.value, error: { code, message }, updatedAt: timestampOf(run.clock) };
    // Best effort: what stopped it is what the caller must hear.
    await run.journal.write({ held, next }).catch(() => undefined);
    throw error;
  }
}
