import type { ClusterView } from '../cluster-view.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { report, stalled, transition } from '../operation/run.ts';
import { waitFor } from '../operation/wait.ts';
import { revisionOf, type Transaction } from '../store.ts';
import { planOf, type SwitchoverRun } from './context.ts';
import { readDrained } from './drained.ts';
import { giveBack } from './ending.ts';
import { type Handover, judgeHandover, whyKept } from './handover.ts';

/** Beyond the budget going on isn't what was planned, but giving up costs callers a start of Postgres. */
const BACK_OUT_MARGIN_MS = 2_000;

type Look =
  | { readonly kind: 'judged'; readonly handover: Exclude<Handover, { kind: 'waiting' }> }
  /** The leader's agent has given the cluster back. */
  | { readonly kind: 'kept'; readonly reason: string };

/** Waits until the target holds all that the leader handed over, and notes it. Else the cluster goes back to its leader. */
export async function drainStep(run: SwitchoverRun, held: HeldOperation): Promise<HeldOperation> {
  const plan = planOf(held.value);
  const { id } = held.value;
  const timeoutMs = plan.pause.budgetMs + BACK_OUT_MARGIN_MS;
  let view: ClusterView | undefined;
  let waitedFor = `waiting for ${plan.leader} to hand over`;
  const waited = await waitFor({
    check: async (): Promise<Look | undefined> => {
      const found = await readDrained(run, held);
      ({ view } = found);
      if (found.kind === 'given-back')
        return { kind: 'kept', reason: whyKept(view, id, plan.term) ?? 'the authority was given back' };
      const handover = judgeHandover(view, { operation: id, plan });
      if (handover.kind !== 'waiting') return { kind: 'judged', handover };
      waitedFor = handover.what;
      report(run, held.value, { state: 'waiting', detail: waitedFor });
      return undefined;
    },
    timeoutMs,
    signal: undefined,
    clock: run.clock,
    pause: run.pause,
  });
  if (view === undefined) {
    throw stalled({
      record: held.value,
      code: 'etcd_unreachable',
      message: `etcd did not answer within ${timeoutMs} ms`,
      lastError: waited.kind === 'timed-out' ? waited.lastError : undefined,
    });
  }
  if (waited.kind !== 'found') return backOut(run, held, view, `${waitedFor}, in vain for ${timeoutMs} ms`);
  if (waited.value.kind === 'kept') return backOut(run, held, view, waited.value.reason);
  const { handover } = waited.value;
  if (handover.kind === 'differs') return backOut(run, held, view, handover.why);
  const { timeline, checkpointLsn } = handover.end;
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: {
      kind: 'agent-report',
      leader: plan.leader,
      timeline,
      checkpointLsn,
      target: plan.target,
      shards: Object.keys(handover.end.positions).length,
    },
    with: (transaction) => expectReports(run, transaction, view),
  });
  return moved ?? held;
}

/** The reports that were judged are the ones that count. */
export function expectReports(
  run: SwitchoverRun,
  transaction: Transaction,
  view: ClusterView | undefined,
): void {
  if (view === undefined) return;
  for (const [member, frozen] of view.frozen)
    transaction.expect(run.keys.frozenReport(view.name, member), frozen.revision);
  transaction.expect(run.keys.handoverReport(view.name), revisionOf(view.handoverReport));
}

/** The cluster is the old leader's again and free for other operations; what is left is to see that it decides. */
async function backOut(
  run: SwitchoverRun,
  held: HeldOperation,
  view: ClusterView,
  reason: string,
): Promise<HeldOperation> {
  const { value: record } = held;
  const moved = await transition(run, {
    held,
    event: 'differs',
    result: { reason, leader: planOf(record).leader },
    with: (transaction) =>
      giveBack({
        run,
        transaction,
        view,
        record,
        action: 'switchover.back-out',
        actor: record.actor,
        reason,
      }),
  });
  return moved ?? held;
}
