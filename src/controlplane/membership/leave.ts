import type { MemberState } from '../../domain/records.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { interrupted, type OperationRun } from '../operation/run.ts';
import { waitFor } from '../operation/wait.ts';
import { changeMembership } from './change.ts';
import { awaitNothingMissing, complete, readCluster } from './context.ts';
import { planOf } from './phases.ts';
import { heldBecause, stillCounted } from './standing.ts';

const SHUT: ReadonlySet<MemberState> = new Set(['stopped', 'quarantined', 'fenced']);

/** Waits until the leader decides without this member: neither the record nor the setting names it. */
export async function unsyncStep(run: OperationRun, held: HeldOperation): Promise<HeldOperation> {
  const { member } = planOf(held.value);
  const { deadlines, lease } = run.contract;
  const view = await awaitNothingMissing(run, held, {
    missing: (seen) => stillCounted(seen, member),
    timeoutMs: deadlines.openMs + lease.ttlMs + lease.driftMs,
  });
  const record = view.inSync?.value;
  const inSync = record?.voters.map((voter) => voter.member) ?? [];
  return complete(run, held, { view, result: { inSync, degraded: record?.degraded ?? null } });
}

/** Commits the membership without the member, and forgets whose data it registered. */
export async function outStep(run: OperationRun, held: HeldOperation): Promise<HeldOperation> {
  const { keys, clock, contract } = run;
  const { id, cluster, actor, planHash, reason } = held.value;
  const { member } = planOf(held.value);
  const { freezeMs, promoteMs, openMs } = contract.deadlines;
  const view = await awaitNothingMissing(run, held, {
    // A failover meanwhile may have opened on a record of before.
    missing: (seen) => heldBecause(seen) ?? stillCounted(seen, member),
    timeoutMs: freezeMs + promoteMs + openMs,
  });
  const registered = view.members.get(member);
  return complete(run, held, {
    view,
    result: {
      epoch: (view.membership?.value.epoch ?? 0) + 1,
      incarnation: registered?.value.incarnation ?? null,
    },
    with: (transaction) => {
      const changes = { [member]: null };
      changeMembership(transaction, { keys, view, changes, actor, reason, operation: id, planHash, clock });
      const key = keys.member(cluster, member);
      if (registered !== undefined) transaction.expect(key, registered.revision).delete(key);
    },
  });
}

/** Waits a while until the member's agent says that it stopped. One that is silent stops when it hears of it. */
export async function haltStep(run: OperationRun, held: HeldOperation): Promise<HeldOperation> {
  const { member } = planOf(held.value);
  let view: ClusterView | undefined;
  const waited = await waitFor({
    check: async () => {
      view = await readCluster(run, held);
      const state = view.heartbeats.get(member)?.value.state;
      return state === undefined || SHUT.has(state) ? (state ?? 'silent') : undefined;
    },
    timeoutMs: run.contract.deadlines.openMs,
    signal: run.signal,
    clock: run.clock,
  });
  if (waited.kind === 'interrupted') throw interrupted(run, held.value);
  view ??= await readCluster(run, held);
  const state = waited.kind === 'found' ? waited.value : 'not stopped yet';
  return complete(run, held, {
    view,
    result: { member, role: null, state, epoch: view.membership?.value.epoch },
  });
}
