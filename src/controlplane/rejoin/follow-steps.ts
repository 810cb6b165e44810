import type { RestoreReport } from '../../domain/rejoin-records.ts';
import { auditIn } from '../audit.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { type OperationRun, stalled, transition } from '../operation/run.ts';
import type { Versioned } from '../store.ts';
import { salvageAnew } from './ask.ts';
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

/** A new clone of a large cluster takes hours. */
const FOLLOW_TIMEOUT_MS = 24 * 3_600_000;
const NEAR_BYTES = 1_048_576n;

/** Waits until the agent has rewound or replaced the data, proved it, and registered it as a new incarnation. */
export async function restoreStep(run: OperationRun, held: HeldOperation): Promise<HeldOperation> {
  const { cluster } = held.value;
  const { member } = planOf(held.value);
  const look = (at: Sight): Seen<Versioned<RestoreReport>> => {
    const { view, request, heartbeat } = at;
    const report = view.restored.get(member);
    const registered = view.members.get(member)?.value.incarnation;
    const anew = report !== undefined && report.value.incarnation === registered;
    if (anew && registered !== request.value.incarnation && heartbeat?.incarnation === registered)
      return ready(at, report);
    const overtaken = request.value.term !== at.authority.value.term || request.value.stage !== 'restore';
    if (isShut(at) && (overtaken || heartbeat?.incarnation !== request.value.incarnation))
      return differs(at, `term ${at.authority.value.term} began before it was restored`);
    return waiting(`${member} is restored (${heartbeat?.reason ?? heartbeat?.state ?? 'silent'})`);
  };
  const seen = await awaitMember(run, held, { timeoutMs: FOLLOW_TIMEOUT_MS, look });
  if (seen.kind === 'late') throw overdue(held, `${member} is not restored: ${seen.detail}`);
  if (seen.kind === 'differs') {
    const result = { why: seen.why };
    return (await transition(run, { held, event: 'differs', result })) ?? held;
  }
  const { method, reason, incarnation, formerIncarnation } = seen.value.value;
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: { method, reason, formerIncarnation, incarnation },
    with: (transaction) => {
      transaction.expect(run.keys.restoredReport(cluster, member), seen.value.revision);
    },
  });
  return moved ?? held;
}

/** Waits until the leader shows the member streaming, near, on its own timeline. */
export async function catchUpStep(run: OperationRun, held: HeldOperation): Promise<HeldOperation> {
  const { cluster } = held.value;
  const { member } = planOf(held.value);
  const look = (at: Sight): Seen<string> => {
    if (isShut(at)) return differs(at, 'it is quarantined again');
    const lag = lagOf(at, member);
    if (lag === undefined) return waiting(`${member} is not streaming from ${at.leader} yet`);
    return lag <= NEAR_BYTES
      ? ready(at, String(lag))
      : waiting(`${member} is ${lag} bytes behind ${at.leader}`);
  };
  const seen = await awaitMember(run, held, { timeoutMs: FOLLOW_TIMEOUT_MS, look });
  if (seen.kind === 'differs') return salvageAnew(run, held, seen);
  if (seen.kind === 'late') throw overdue(held, seen.detail);
  const { at, value: lagBytes } = seen;
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: { lagBytes, leader: at.leader },
    with: (transaction) => {
      transaction.expect(run.keys.authority(cluster), at.authority.revision);
    },
  });
  return moved ?? held;
}

/** Waits until the member counts, and ends the operation. */
export async function voteStep(run: OperationRun, held: HeldOperation): Promise<HeldOperation> {
  const { id, cluster, actor, planHash } = held.value;
  const { member } = planOf(held.value);
  const look = (at: Sight): Seen<string> => {
    if (isShut(at)) return differs(at, 'it is quarantined again');
    const role = at.view.membership?.value.members[member]?.role;
    const incarnation = at.view.members.get(member)?.value.incarnation;
    const recorded = at.view.inSync?.value.voters.some(
      (voter) => voter.member === member && voter.incarnation === incarnation,
    );
    const counts = role === 'voter' ? recorded === true : lagOf(at, member) !== undefined;
    return counts && role !== undefined
      ? ready(at, role)
      : waiting(`waiting for ${at.leader} to take ${member} in as ${role ?? 'nothing'}`);
  };
  const timeoutMs = run.contract.deadlines.openMs;
  const seen = await awaitMember(run, held, { timeoutMs, look });
  if (seen.kind === 'differs') return salvageAnew(run, held, seen);
  if (seen.kind === 'late') throw overdue(held, seen.detail);
  const result = {
    member,
    role: seen.value,
    term: seen.at.authority.value.term,
    epoch: seen.at.view.membership?.value.epoch ?? 0,
  };
  const moved = await transition(run, {
    held,
    event: 'completed',
    result,
    with: (transaction) => {
      transaction
        .delete(run.keys.rejoin(cluster, member))
        .delete(run.keys.salvagedReport(cluster, member))
        .delete(run.keys.restoredReport(cluster, member));
      const entry = {
        actor,
        action: 'rejoin.finish',
        target: member,
        operation: id,
        planHash,
        before: { incarnation: planOf(held.value).incarnation },
        after: { ...result, incarnation: seen.at.view.members.get(member)?.value.incarnation ?? null },
      };
      auditIn(transaction, run.keys, entry, run.clock);
    },
  });
  return moved ?? held;
}

/** How far behind the leader shows the member, as its registered incarnation on one timeline; undefined: it doesn't stream so. */
function lagOf({ view, leader, heartbeat }: Sight, member: string): bigint | undefined {
  const incarnation = view.members.get(member)?.value.incarnation;
  const leading = view.heartbeats.get(leader)?.value;
  if (heartbeat?.state !== 'following' || heartbeat.incarnation !== incarnation) return undefined;
  if (leading === undefined || leading.timeline !== heartbeat.timeline) return undefined;
  const shown = leading.followers.find(
    (follower) => follower.member === member && follower.incarnation === incarnation,
  );
  return shown === undefined || shown.lagBytes === null ? undefined : BigInt(shown.lagBytes);
}

const overdue = (held: HeldOperation, message: string) =>
  stalled({ record: held.value, code: 'rejoin_overdue', message, lastError: undefined });
