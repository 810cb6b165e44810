import { unknownError } from '../../domain/errors.ts';
import { auditIn } from '../audit.ts';
import { readClusterView } from '../cluster-view.ts';
import { drive } from '../operation/drive.ts';
import { readOperation } from '../operation/journal.ts';
import { type OperationResult, transition } from '../operation/run.ts';
import { type ControlOptions, refusePastDecision, takeOver } from '../operation/take-over.ts';
import { revisionOf } from '../store.ts';
import { planOf } from './await-member.ts';
import { REJOIN } from './phases.ts';
import { REJOIN_STEPS } from './steps.ts';

const ABORT_TRIES = 5;
const machineOf = () => REJOIN;

/** Takes the rejoin over and carries it on. One that has ended is answered as it is. Throws as `runRejoin` does once it is begun. */
export async function resumeRejoin(options: ControlOptions): Promise<OperationResult> {
  const found = await readOperation(options);
  if (REJOIN.isFinal(REJOIN.phaseOf(found.value))) return { changed: false, operation: found.value };
  const { run, held } = await takeOver(options, machineOf);
  const done = await drive(run, REJOIN_STEPS, held);
  return { changed: true, operation: done.value };
}

/** Gives a rejoin up before the member counts again. What its agent has begun it ends: the member stays a learner, or shut. */
export async function abortRejoin(
  options: ControlOptions & { readonly reason?: string | undefined },
): Promise<OperationResult> {
  const { id, actor, reason = null } = options;
  const found = await readOperation(options);
  if (REJOIN.phaseOf(found.value) === 'aborted') return { changed: false, operation: found.value };
  const demand = (record: typeof found.value) => refusePastDecision(REJOIN, record);
  demand(found.value);
  const { run, held } = await takeOver(options, machineOf, demand);
  const { cluster, planHash } = held.value;
  const { member } = planOf(held.value);
  const key = run.keys.rejoin(cluster, member);
  for (let attempt = 0; attempt < ABORT_TRIES; attempt += 1) {
    const view = await readClusterView(run.etcd, run.keys, cluster);
    const request = view?.rejoins.get(member);
    const aborted = await transition(run, {
      held,
      event: 'aborted',
      result: { abortedBy: actor, reason, asked: request?.value.stage ?? null },
      with: (transaction) => {
        transaction.expect(key, revisionOf(request)).delete(key);
        const entry = {
          actor,
          action: 'rejoin.abort',
          target: member,
          operation: id,
          planHash,
          before: request?.value ?? null,
          after: null,
          reason,
        };
        auditIn(transaction, run.keys, entry, run.clock);
      },
    });
    if (aborted !== undefined) return { changed: true, operation: aborted.value };
  }
  throw unknownError(`operation ${id} can't be aborted: what it reads keeps changing`, {
    code: 'operation_unsettled',
    retryable: true,
    next: `capstan operation show ${id}`,
    data: { operation: id },
  });
}
