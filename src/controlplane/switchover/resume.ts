import { unknownError } from '../../domain/errors.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import { readClusterView } from '../cluster-view.ts';
import { drive } from '../operation/drive.ts';
import { type HeldOperation, readOperation } from '../operation/journal.ts';
import { type OperationResult, type OperationRun, transition } from '../operation/run.ts';
import { type ControlOptions, refusePastDecision, takeOver } from '../operation/take-over.ts';
import { planOf, switchoverRun } from './context.ts';
import { giveBack } from './ending.ts';
import { SWITCHOVER } from './phases.ts';
import { answer } from './run.ts';
import { SWITCHOVER_STEPS } from './steps.ts';

const ABORT_TRIES = 5;

const machineOf = () => SWITCHOVER;
const demand = (record: OperationRecord): void => refusePastDecision(SWITCHOVER, record);

type AbortOptions = ControlOptions & { readonly reason?: string | undefined };

/**
 * Takes the operation over from whoever drives it and carries it on; the former coordinator's next write is refused.
 * One that is done or aborted is answered as it is, unchanged. Throws as `runSwitchover` does once it has begun.
 */
export async function resumeSwitchover(options: ControlOptions): Promise<OperationResult> {
  const found = await readOperation(options);
  if (SWITCHOVER.isFinal(SWITCHOVER.phaseOf(found.value))) return { changed: false, operation: found.value };
  const { run, held } = await takeOver(options, machineOf);
  return answer(await drive(switchoverRun(run), SWITCHOVER_STEPS, held));
}

/** What an agent does with one that nobody drives: where nothing has changed yet, nobody is there who wants it. */
export async function adoptSwitchover(options: ControlOptions): Promise<OperationResult> {
  const { value } = await readOperation(options);
  return SWITCHOVER.phaseOf(value) === 'prepare'
    ? abortSwitchover({ ...options, reason: 'nobody drove it, and nothing had changed' })
    : resumeSwitchover(options);
}

/**
 * Gives an operation up before its decision: the leader leads on, under the same term. One that is aborted already is
 * answered unchanged; after the decision it is refused (`operation_past_no_return`, exit 4).
 */
export async function abortSwitchover(options: AbortOptions): Promise<OperationResult> {
  const { id } = options;
  const found = await readOperation(options);
  if (SWITCHOVER.phaseOf(found.value) === 'aborted') return { changed: false, operation: found.value };
  demand(found.value);
  const { run, held } = await takeOver(options, machineOf, demand);
  for (let attempt = 0; attempt < ABORT_TRIES; attempt += 1) {
    const aborted = await abortOnce(run, held, options);
    if (aborted !== undefined) return { changed: true, operation: aborted.value };
  }
  throw unknownError(`operation ${id} can't be aborted: what it reads keeps changing`, {
    code: 'operation_unsettled',
    retryable: true,
    next: `capstan operation show ${id}`,
    data: { operation: id },
  });
}

async function abortOnce(
  run: OperationRun,
  held: HeldOperation,
  { actor, reason = null }: Omit<AbortOptions, 'reason'> & { readonly reason?: string | null | undefined },
): Promise<HeldOperation | undefined> {
  const { value: record } = held;
  const view = await readClusterView(run.etcd, run.keys, record.cluster);
  if (view?.authority === undefined) throw new Error(`cluster ${record.cluster} is gone`);
  const { leader, term } = planOf(record);
  return transition(run, {
    held,
    event: 'aborted',
    result: { abortedBy: actor, reason, leader, term },
    with: (transaction) =>
      giveBack({ run, transaction, view, record, action: 'switchover.abort', actor, reason }),
  });
}
