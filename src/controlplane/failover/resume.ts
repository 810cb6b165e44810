import { timestampOf } from '../../clock/clock.ts';
import { unknownError } from '../../domain/errors.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import { auditIn } from '../audit.ts';
import { nextAuthority } from '../authority.ts';
import { drive } from '../operation/drive.ts';
import { type HeldOperation, readOperation } from '../operation/journal.ts';
import { type OperationResult, type OperationRun, transition } from '../operation/run.ts';
import { type ControlOptions, refusePastDecision, takeOver } from '../operation/take-over.ts';
import { revisionOf } from '../store.ts';
import { acceptLossApproval, lossNotOpen } from './approvals.ts';
import { readOwnCluster } from './context.ts';
import { planOf } from './plan-types.ts';
import { machineOf } from './phases.ts';
import { stepsOf } from './steps.ts';

const ABORT_TRIES = 5;

/**
 * Takes the operation over from whoever drives it and carries it on; the former coordinator's next write is refused.
 * One that is done or aborted is answered as it is, unchanged. Throws as `runFailover` does once it is fenced.
 */
export async function resumeFailover(options: ControlOptions): Promise<OperationResult> {
  const found = await readOperation(options);
  const machine = machineOf(found.value);
  if (machine.isFinal(machine.phaseOf(found.value))) return { changed: false, operation: found.value };
  const { acceptLoss } = options;
  const { run, held } = await takeOver(
    acceptLoss === undefined ? options : { ...options, approve: [acceptLossApproval(acceptLoss)] },
    machineOf,
    (record) => {
      if (acceptLoss !== undefined) refuseUnlessLossIsOpen(record);
    },
  );
  // What was waited for before this process held the operation doesn't count.
  const heldSinceMonotonicMs = run.clock.monotonicMs();
  const begun = { ...run, fencedAtMonotonicMs: undefined, heldSinceMonotonicMs };
  const done = await drive(begun, stepsOf(held.value), held);
  return { changed: true, operation: done.value };
}

function refuseUnlessLossIsOpen(record: OperationRecord): void {
  const machine = machineOf(record);
  const open = planOf(record).path === 'regional' && !machine.isDecided(machine.phaseOf(record));
  if (!open) throw lossNotOpen(record.id);
}

/**
 * Gives an operation up before its decision: the old leader's authority is open again, under one more term. One that is
 * aborted already is answered unchanged; after the decision it is refused (`operation_past_no_return`, exit 4).
 */
export async function abortFailover(
  options: ControlOptions & { readonly reason?: string | undefined },
): Promise<OperationResult> {
  const { id } = options;
  const found = await readOperation(options);
  if (machineOf(found.value).phaseOf(found.value) === 'aborted')
    return { changed: false, operation: found.value };
  const demand = (record: typeof found.value) => refusePastDecision(machineOf(record), record);
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
  { actor, reason = null }: { readonly actor: string; readonly reason?: string | null | undefined },
): Promise<HeldOperation | undefined> {
  const { id, cluster, planHash } = held.value;
  const { view, authority } = await readOwnCluster(run, held, 'fenced');
  const { leader } = planOf(held.value);
  if (leader === null) throw new Error(`operation ${id} fenced a cluster without a leader`);
  const after = nextAuthority(authority.value, { kind: 'abort', leader }, timestampOf(run.clock));
  return transition(run, {
    held,
    event: 'aborted',
    result: { abortedBy: actor, reason, leader, term: after.term },
    with: (transaction) => {
      transaction
        .expect(run.keys.authority(cluster), authority.revision)
        .put(run.keys.authority(cluster), after)
        .expect(run.keys.activeOperation(cluster), revisionOf(view.activeOperation))
        .delete(run.keys.activeOperation(cluster));
      const entry = {
        actor,
        action: 'failover.abort',
        target: cluster,
        operation: id,
        planHash,
        before: authority.value,
        after,
        reason,
      };
      auditIn(transaction, run.keys, entry, run.clock);
    },
  });
}
