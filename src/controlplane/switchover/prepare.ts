import { timestampOf } from '../../clock/clock.ts';
import { canonicalJson } from '../../domain/canonical-json.ts';
import type { AuthorityRecord } from '../../domain/records.ts';
import { nextAuthority } from '../authority.ts';
import { type ClusterView, readClusterView } from '../cluster-view.ts';
import { isLeaderHealthy } from '../failover/candidates.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { interrupted, report, transition } from '../operation/run.ts';
import { waitFor } from '../operation/wait.ts';
import { revisionOf, type Versioned } from '../store.ts';
import { planOf, type SwitchoverRun } from './context.ts';
import { giveBack } from './ending.ts';
import { sortSuccessors } from './near.ts';

type Look =
  | { readonly kind: 'ready'; readonly view: ClusterView }
  | { readonly kind: 'off'; readonly view: ClusterView; readonly why: string };

/**
 * Waits until the leader has made its checkpoint, then lets the cluster drain: from that transaction on nobody decides. What
 * stands in the way by now ends the operation, and nothing has changed.
 */
export async function prepareStep(run: SwitchoverRun, held: HeldOperation): Promise<HeldOperation> {
  const { cluster } = held.value;
  const timeoutMs = run.contract.deadlines.openMs;
  let latest: ClusterView | undefined;
  const waited = await waitFor({
    check: async (): Promise<Look | undefined> => {
      const [view] = await Promise.all([
        readClusterView(run.etcd, run.keys, cluster),
        run.journal.assertHeld(held),
      ]);
      if (view === undefined) throw new Error(`cluster ${cluster} is gone`);
      latest = view;
      const why = whyNot(run, held, view);
      if (why !== undefined) return { kind: 'off', view, why };
      const ready = view.handoverReady?.value;
      if (ready?.operation === held.value.id && ready.term === planOf(held.value).term)
        return { kind: 'ready', view };
      report(run, held.value, { state: 'waiting', detail: 'waiting for the leader’s checkpoint' });
      return undefined;
    },
    timeoutMs,
    signal: run.signal,
    clock: run.clock,
    pause: run.pause,
  });
  if (waited.kind === 'interrupted') throw interrupted(run, held.value);
  if (waited.kind === 'found' && waited.value.kind === 'ready') return begin(run, held, waited.value.view);
  if (waited.kind === 'found' && waited.value.kind === 'off')
    return end(run, held, waited.value.view, waited.value.why);
  if (latest === undefined) return held;
  return end(run, held, latest, `the leader was not ready to hand over within ${timeoutMs} ms`);
}

/** Why nothing may be begun any more, though the plan could be run. */
function whyNot(run: SwitchoverRun, { value }: HeldOperation, view: ClusterView): string | undefined {
  const { leader, term, epoch, inSync, target, incarnation } = planOf(value);
  const authority = view.authority?.value;
  if (authority?.phase !== 'open' || authority.term !== term || authority.leader !== leader)
    return `the authority is ${authority?.phase} under term ${authority?.term} by now`;
  if (view.membership?.value.epoch !== epoch) return 'the membership has changed';
  if (canonicalJson(view.inSync?.value ?? null) !== canonicalJson(inSync))
    return 'the in-sync set has changed';
  const judged = { view, contract: run.contract, nowMs: run.clock.wallMs() };
  if (!isLeaderHealthy(judged)) return `${leader} does not look healthy any more`;
  const { candidates, excluded } = sortSuccessors(judged);
  const found = candidates.find((candidate) => candidate.member === target);
  if (found?.incarnation === incarnation) return undefined;
  const reasons = excluded.find(({ member }) => member === target)?.reasons ?? ['it was cloned anew'];
  return `${target} can't take over any more: ${reasons.join(', ')}`;
}

async function begin(run: SwitchoverRun, held: HeldOperation, view: ClusterView): Promise<HeldOperation> {
  const { id, cluster } = held.value;
  const authority = view.authority as Versioned<AuthorityRecord>;
  run.pauseBegan.atMonotonicMs = run.clock.monotonicMs();
  const drainedAt = timestampOf(run.clock);
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: { checkpointMs: view.handoverReady?.value.checkpointMs ?? null, drainedAt },
    with: (transaction) => {
      transaction
        .expect(run.keys.membership(cluster), revisionOf(view.membership))
        .expect(run.keys.inSync(cluster), revisionOf(view.inSync))
        .expect(run.keys.handoverReady(cluster), revisionOf(view.handoverReady))
        .expect(run.keys.authority(cluster), authority.revision)
        .put(
          run.keys.authority(cluster),
          nextAuthority(authority.value, { kind: 'drain', operation: id }, drainedAt),
        );
    },
  });
  return moved ?? held;
}

async function end(
  run: SwitchoverRun,
  held: HeldOperation,
  view: ClusterView,
  reason: string,
): Promise<HeldOperation> {
  const { value: record } = held;
  const moved = await transition(run, {
    held,
    event: 'differs',
    result: { reason, leader: planOf(record).leader, pauseMs: 0 },
    error: { code: 'switchover_not_begun', message: `nothing was changed: ${reason}` },
    with: (transaction) =>
      giveBack({
        run,
        transaction,
        view,
        record,
        action: 'switchover.abort',
        actor: record.actor,
        reason,
      }),
  });
  return moved ?? held;
}
