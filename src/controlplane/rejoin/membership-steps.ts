import type { MemberRole } from '../../domain/records.ts';
import { openLossesOf } from '../loss/naming.ts';
import { changeMembership } from '../membership/change.ts';
import { roleIn } from '../membership/next-membership.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { type OperationRun, transition } from '../operation/run.ts';
import type { Transaction } from '../store.ts';
import { askAgent, salvageAnew } from './ask.ts';
import {
  awaitMember,
  differs,
  isShut,
  planOf,
  ready,
  type Seen,
  type Sight,
  waiting,
} from './await-member.ts';
import { noLeader } from './salvage-step.ts';

/** Makes the member a learner and asks its agent to restore it, in one transaction. */
export async function learnerStep(run: OperationRun, held: HeldOperation): Promise<HeldOperation> {
  const { cluster } = held.value;
  const { member } = planOf(held.value);
  const look = (at: Sight): Seen<null> => {
    const [open] = openLossesOf(at.view, member);
    if (open !== undefined) return differs(at, `the loss of ${open} names it`);
    if (isShut(at) && at.heartbeat?.incarnation !== at.request.value.incarnation)
      return differs(at, 'it is quarantined with other data');
    return freeOf(at);
  };
  const seen = await awaitMember(run, held, { timeoutMs: run.contract.deadlines.openMs, look });
  if (seen.kind === 'differs') return salvageAnew(run, held, seen);
  if (seen.kind === 'late') throw noLeader(held, seen.detail);
  const { at } = seen;
  const { incarnation } = at.request.value;
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: { epoch: epochAfter(at, member, 'learner'), method: planOf(held.value).method },
    with: (transaction) => {
      changeRole(transaction, { run, held, at, role: 'learner', reason: `${member} rejoins` });
      askAgent(transaction, { run, held, at, stage: 'restore', incarnation });
      for (const [operation, { revision, value }] of at.view.losses)
        if (value.members[member] !== undefined)
          transaction.expect(run.keys.loss(cluster, operation), revision);
    },
  });
  return moved ?? held;
}

/** It has caught up: its epoch is committed before it votes or serves. */
export async function epochStep(run: OperationRun, held: HeldOperation): Promise<HeldOperation> {
  const { member } = planOf(held.value);
  const seen = await awaitMember(run, held, { timeoutMs: run.contract.deadlines.openMs, look: hasCaughtUp });
  if (seen.kind === 'differs') return salvageAnew(run, held, seen);
  if (seen.kind === 'late') throw noLeader(held, seen.detail);
  const { at } = seen;
  const members = at.view.membership?.value.members;
  const place = members?.[member];
  const leaderRegion = members?.[at.leader]?.region;
  if (place === undefined || leaderRegion === undefined) return held;
  const role = roleIn(place.region, leaderRegion);
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: { epoch: epochAfter(at, member, role), role },
    with: (transaction) =>
      changeRole(transaction, { run, held, at, role, reason: `${member} has caught up` }),
  });
  return moved ?? held;
}

const hasCaughtUp = (at: Sight): Seen<null> =>
  isShut(at) ? differs(at, 'it is quarantined again') : freeOf(at);

const freeOf = (at: Sight): Seen<null> => {
  const active = at.view.activeOperation?.value;
  return active === undefined ? ready(at, null) : waiting(`waiting for the end of operation ${active}`);
};

function epochAfter({ view }: Sight, member: string, role: MemberRole): number {
  const epoch = view.membership?.value.epoch ?? 0;
  return view.membership?.value.members[member]?.role === role ? epoch : epoch + 1;
}

function changeRole(
  transaction: Transaction,
  about: {
    readonly run: OperationRun;
    readonly held: HeldOperation;
    readonly at: Sight;
    readonly role: MemberRole;
    readonly reason: string;
  },
): void {
  const { run, held, at, role, reason } = about;
  const { id, actor, planHash } = held.value;
  const { member } = planOf(held.value);
  const region = at.view.membership?.value.members[member]?.region;
  if (region === undefined) throw new Error(`${member} left the membership between two reads of one view`);
  changeMembership(transaction, {
    keys: run.keys,
    view: at.view,
    changes: { [member]: { region, role } },
    actor,
    reason,
    operation: id,
    planHash,
    clock: run.clock,
  });
}
