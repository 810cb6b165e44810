import { type CapstanError, messageOf, unknownError } from '../../domain/errors.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { MembershipRecord } from '../../domain/records.ts';
import { auditIn } from '../audit.ts';
import type { ClusterView } from '../cluster-view.ts';
import { drive } from '../operation/drive.ts';
import { type HeldOperation, readOperation } from '../operation/journal.ts';
import { type OperationResult, type OperationRun, transition } from '../operation/run.ts';
import { type ControlOptions, refusePastDecision, takeOver } from '../operation/take-over.ts';
import { changeMembership } from './change.ts';
import { readCluster, releaseIn } from './context.ts';
import { type MembershipChanges, nextMembership } from './next-membership.ts';
import { machineFor, planOf } from './phases.ts';
import { MEMBERSHIP_STEPS } from './steps.ts';

const ABORT_TRIES = 5;

const machineOf = (record: OperationRecord) => machineFor(planOf(record));

/** Takes the operation over from whoever drives it and carries it on. One that has ended is answered as it is. */
export async function resumeMembership(options: ControlOptions): Promise<OperationResult> {
  const found = await readOperation(options);
  const machine = machineOf(found.value);
  if (machine.isFinal(machine.phaseOf(found.value))) return { changed: false, operation: found.value };
  const { run, held } = await takeOver(options, machineOf);
  const done = await drive(run, MEMBERSHIP_STEPS, held);
  return { changed: true, operation: done.value };
}

/**
 * Gives an operation up before its last epoch is committed: a member that was being added is out again, one that was being removed
 * has its role back where that role is still one of its region. Throws `operation_past_no_return`, `operation_active` (exit 4).
 */
export async function abortMembership(
  options: ControlOptions & { readonly reason?: string | undefined },
): Promise<OperationResult> {
  const found = await readOperation(options);
  const machine = machineOf(found.value);
  if (machine.phaseOf(found.value) === 'aborted') return { changed: false, operation: found.value };
  const demand = (record: OperationRecord) => refusePastDecision(machine, record);
  demand(found.value);
  const { run, held } = await takeOver(options, machineOf, demand);
  for (let attempt = 0; attempt < ABORT_TRIES; attempt += 1) {
    const aborted = await abortOnce(run, held, options);
    if (aborted !== undefined) return { changed: true, operation: aborted.value };
  }
  throw unsettled(options.id);
}

const unsettled = (id: string): CapstanError =>
  unknownError(`operation ${id} can't be aborted: what it reads keeps changing`, {
    code: 'operation_unsettled',
    retryable: true,
    next: `capstan operation show ${id}`,
    data: { operation: id },
  });

async function abortOnce(
  run: OperationRun,
  held: HeldOperation,
  { actor, reason = null }: { readonly actor: string; readonly reason?: string | null | undefined },
): Promise<HeldOperation | undefined> {
  const { keys, clock } = run;
  const { id, cluster, planHash } = held.value;
  const { member } = planOf(held.value);
  const view = await readCluster(run, held);
  const { changes, kept } = undoing(view, held.value);
  return transition(run, {
    held,
    event: 'aborted',
    result: { abortedBy: actor, reason, kept },
    with: (transaction) => {
      const why = reason ?? 'the operation was aborted';
      const about = { keys, view, changes, actor, reason: why, operation: id, planHash, clock };
      const after = changeMembership(transaction, about);
      releaseIn(transaction, { keys, view, member });
      const registered = view.members.get(member);
      const key = keys.member(cluster, member);
      if (registered !== undefined && after.members[member] === undefined)
        transaction.expect(key, registered.revision).delete(key);
      const entry = {
        actor,
        action: 'membership.abort',
        target: cluster,
        operation: id,
        planHash,
        before: { epoch: view.membership?.value.epoch ?? null },
        after: { epoch: after.epoch, member, role: after.members[member]?.role ?? null },
        reason,
      };
      auditIn(transaction, keys, entry, clock);
    },
  });
}

/** What gives the member its former place back; `kept` says why it stays a learner instead. */
function undoing(
  view: ClusterView,
  record: OperationRecord,
): { readonly changes: MembershipChanges; readonly kept: string | null } {
  const { member, role, region } = planOf(record);
  const changes = { [member]: role === null ? null : { region, role } };
  const membership: MembershipRecord | undefined = view.membership?.value;
  if (membership === undefined) return { changes, kept: null };
  try {
    nextMembership({ membership, leader: view.authority?.value.leader ?? '', changes });
    return { changes, kept: null };
  } catch (error) {
    return { changes: {}, kept: messageOf(error) };
  }
}
