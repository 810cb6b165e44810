import { partialError } from '../../domain/errors.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { type OperationRun, stalled, transition } from '../operation/run.ts';
import { revisionOf } from '../store.ts';
import { changeMembership } from './change.ts';
import { awaitNothingMissing, complete } from './context.ts';
import { followsClosely, isShut } from './nearness.ts';
import { roleIn } from './next-membership.ts';
import { planOf } from './phases.ts';
import { heldBecause, notSettled } from './standing.ts';

/**
 * Waits until the learner follows the leader closely: a clone may take hours, so there is no time limit while its agent is
 * heard. Throws `member_silent` (exit 5) when it isn't for `deadlines.open`, `member_quarantined` (exit 6).
 */
export async function catchUpStep(run: OperationRun, held: HeldOperation): Promise<HeldOperation> {
  const { member } = planOf(held.value);
  const silentMaxMs = run.contract.deadlines.openMs;
  let heardAtMs = 0;
  const view = await awaitNothingMissing(run, held, {
    timeoutMs: Infinity,
    missing: (seen, elapsedMs) => {
      const shut = isShut(seen, member);
      if (shut !== undefined) throw quarantined(held, shut);
      if (seen.heartbeats.has(member)) heardAtMs = elapsedMs;
      if (elapsedMs - heardAtMs > silentMaxMs) throw silent(held, silentMaxMs);
      return followsClosely(seen, member);
    },
  });
  return complete(run, held, { view, result: positionOf(view, member) });
}

function quarantined({ value }: HeldOperation, reason: string) {
  const { id } = value;
  return partialError(`it can't follow by itself: ${reason}`, {
    code: 'member_quarantined',
    next: `capstan member rejoin ${planOf(value).member}, then capstan operation resume ${id}; or capstan operation abort ${id}`,
    data: { operation: id },
  });
}

const silent = ({ value }: HeldOperation, forMs: number) =>
  stalled({
    record: value,
    code: 'member_silent',
    message: `the agent of ${planOf(value).member} has not been heard for ${forMs} ms: start it (capstan agent run ${planOf(value).member})`,
    lastError: undefined,
  });

function positionOf(view: ClusterView, member: string): Readonly<Record<string, unknown>> {
  const beat = view.heartbeats.get(member)?.value;
  return {
    member,
    incarnation: beat?.incarnation ?? null,
    timeline: beat?.timeline ?? null,
    replayedLsn: beat?.replayedLsn ?? null,
  };
}

/** Commits the role: from this epoch on a voter may be taken into the in-sync set, and an observer prove the claim. */
export async function roleStep(run: OperationRun, held: HeldOperation): Promise<HeldOperation> {
  const { keys, clock, contract } = run;
  const { id, cluster, actor, planHash, reason } = held.value;
  const { member, region } = planOf(held.value);
  const { freezeMs, promoteMs, openMs } = contract.deadlines;
  const view = await awaitNothingMissing(run, held, {
    missing: heldBecause,
    timeoutMs: freezeMs + promoteMs + openMs,
  });
  const behind = followsClosely(view, member);
  if (behind !== undefined) {
    const moved = await transition(run, { held, event: 'differs', result: { behind } });
    return moved ?? held;
  }
  const leader = view.authority?.value.leader ?? '';
  // Whoever leads by now decides what a member of this region is.
  const role = roleIn(region, view.membership?.value.members[leader]?.region ?? '');
  const epoch = (view.membership?.value.epoch ?? 0) + 1;
  return complete(run, held, {
    view,
    result: { member, role, epoch, incarnation: view.members.get(member)?.value.incarnation ?? null },
    with: (transaction) => {
      // The data that has caught up, and no other.
      transaction.expect(keys.member(cluster, member), revisionOf(view.members.get(member)));
      const changes = { [member]: { region, role } };
      changeMembership(transaction, { keys, view, changes, actor, reason, operation: id, planHash, clock });
    },
  });
}

/** Waits until the member has what goes with its role. */
export async function settleStep(run: OperationRun, held: HeldOperation): Promise<HeldOperation> {
  const { member } = planOf(held.value);
  const view = await awaitNothingMissing(run, held, {
    missing: (seen) => notSettled(seen, member),
    timeoutMs: run.contract.deadlines.openMs,
  });
  const membership = view.membership?.value;
  const result = {
    member,
    role: membership?.members[member]?.role ?? null,
    epoch: membership?.epoch ?? null,
    inSync: view.inSync?.value.voters.some((voter) => voter.member === member) ?? false,
  };
  return complete(run, held, { view, result });
}
