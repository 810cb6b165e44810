import { auditIn } from '../audit.ts';
import { clusterNotFound, type ClusterView, readClusterView } from '../cluster-view.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { interrupted, type OperationRun, report, stalled, transition } from '../operation/run.ts';
import { waitFor } from '../operation/wait.ts';
import { revisionOf, type Transaction } from '../store.ts';
import { planOf } from './phases.ts';

/** Reads the cluster, and demands that no other coordinator has taken this operation over (`operation_superseded`). */
export async function readCluster(run: OperationRun, held: HeldOperation): Promise<ClusterView> {
  const { cluster } = held.value;
  const [view] = await Promise.all([
    readClusterView(run.etcd, run.keys, cluster),
    run.journal.assertHeld(held),
  ]);
  if (view !== undefined) return view;
  throw clusterNotFound(cluster);
}

/** Waits until nothing is missing any more. Its time up: `membership_overdue` (exit 5), and the operation stays as it is. */
export async function awaitNothingMissing(
  run: OperationRun,
  held: HeldOperation,
  options: {
    /** What is still missing, for people; undefined: nothing. It may throw what ends the wait. */
    readonly missing: (view: ClusterView, elapsedMs: number) => string | undefined;
    readonly timeoutMs: number;
  },
): Promise<ClusterView> {
  const { missing, timeoutMs } = options;
  let last = 'nothing was heard';
  const waited = await waitFor({
    check: async (elapsedMs) => {
      const view = await readCluster(run, held);
      const found = missing(view, elapsedMs);
      if (found === undefined) return view;
      if (found !== last) report(run, held.value, { state: 'waiting', detail: found });
      last = found;
      return undefined;
    },
    timeoutMs,
    signal: run.signal,
    clock: run.clock,
  });
  if (waited.kind === 'found') return waited.value;
  if (waited.kind === 'interrupted') throw interrupted(run, held.value);
  throw stalled({
    record: held.value,
    code: 'membership_overdue',
    message: `${planOf(held.value).member}: ${last}, for ${timeoutMs} ms`,
    lastError: waited.lastError,
  });
}

/** Ends the step, and the operation with its last one. Unwritten, because something it rests on changed: as it was held. */
export async function complete(
  run: OperationRun,
  held: HeldOperation,
  change: {
    readonly view: ClusterView;
    readonly result: Readonly<Record<string, unknown>>;
    readonly with?: (transaction: Transaction) => void;
  },
): Promise<HeldOperation> {
  const { machine } = run;
  const ends = machine.isFinal(machine.advance(machine.phaseOf(held.value), 'completed'));
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: change.result,
    with: (transaction) => {
      change.with?.(transaction);
      if (ends) endIn(transaction, run, { held, view: change.view, result: change.result });
    },
  });
  return moved ?? held;
}

function endIn(
  transaction: Transaction,
  { keys, clock }: OperationRun,
  about: {
    readonly held: HeldOperation;
    readonly view: ClusterView;
    readonly result: Readonly<Record<string, unknown>>;
  },
): void {
  const { held, view, result } = about;
  const { id, cluster, actor, planHash } = held.value;
  const { member, role, epoch, approvals } = planOf(held.value);
  releaseIn(transaction, { keys, view, member });
  const entry = {
    actor,
    action: 'membership.finish',
    target: cluster,
    operation: id,
    planHash,
    before: { member, role, epoch },
    after: { ...result, member, approvals },
  };
  auditIn(transaction, keys, entry, clock);
}

/** Lets another operation change this member. */
export function releaseIn(
  transaction: Transaction,
  about: Pick<OperationRun, 'keys'> & { readonly view: ClusterView; readonly member: string },
): void {
  const { keys, view, member } = about;
  const key = keys.memberOperation(view.name, member);
  transaction.expect(key, revisionOf(view.memberOperations.get(member))).delete(key);
}
