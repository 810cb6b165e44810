import { type Clock, nowOf } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import { type CapstanError, refusedError } from '../../domain/errors.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { EtcdPort, EtcdReader } from '../../etcd/port.ts';
import { auditIn } from '../audit.ts';
import { clusterNotFound, type ClusterView, readClusterView } from '../cluster-view.ts';
import type { Keys } from '../keys.ts';
import { drive } from '../operation/drive.ts';
import { type HeldOperation, OperationJournal } from '../operation/journal.ts';
import { finishStep, newCoordinatorId, newOperation, newOperationId } from '../operation/record.ts';
import { audited, driftOf, overtaken, type Refusal, refusalOf } from '../operation/refusal.ts';
import { type OperationProgress, report } from '../operation/run.ts';
import { readContract, revisionOf } from '../store.ts';
import { changeMembership } from './change.ts';
import { machineFor } from './phases.ts';
import type { MembershipAction, MembershipPlan } from './plan-types.ts';
import { planMembership } from './plan.ts';
import { MEMBERSHIP_STEPS } from './steps.ts';

export interface MembershipRequest {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly cluster: string;
  readonly action: MembershipAction;
  readonly member: string;
  readonly region: string;
  readonly asLearner?: boolean | undefined;
  readonly acceptDegraded?: boolean | undefined;
  readonly clock?: Clock | undefined;
}

export interface RunMembershipOptions extends MembershipRequest {
  readonly etcd: EtcdPort;
  /** The hash of the plan that was shown; a plan that differs by now is refused. */
  readonly planHash?: string | undefined;
  readonly actor: string;
  readonly reason?: string | undefined;
  /** Aborted: stop at the next safe boundary, with `operation_interrupted`. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: OperationProgress) => void) | undefined;
}

interface ReadPlan {
  readonly plan: MembershipPlan;
  readonly view: ClusterView;
}

/** `operation` is null when it was so already. */
export interface MembershipResult {
  readonly changed: boolean;
  readonly plan: MembershipPlan;
  readonly operation: OperationRecord | null;
}

/** The dry run: reads and plans, and changes nothing. Throws `cluster_not_found` (exit 4). */
export async function readMembershipPlan(request: MembershipRequest): Promise<ReadPlan> {
  const { etcd, keys, cluster } = request;
  const view = await readClusterView(etcd, keys, cluster);
  if (view === undefined) throw clusterNotFound(cluster);
  return { plan: planMembership({ ...request, view }), view };
}

/**
 * Adds, promotes or removes a member, and answers once the cluster works with it, or without it. What is so already changes
 * nothing. Refusals (exit 4) change nothing but the audit log: the plan's own (`member_leads`, `last_voter`, …), `plan_drifted`.
 * `membership_overdue`, `member_silent`, `operation_interrupted` (exit 5) and `member_quarantined` (exit 6) leave an operation that
 * `capstan operation resume` goes on with.
 */
export async function runMembership(options: RunMembershipOptions): Promise<MembershipResult> {
  const { etcd, keys, planHash, signal, onProgress, clock = systemClock } = options;
  const { plan, view } = await readMembershipPlan(options);
  const refusal = refusalOf(plan.refusals);
  if (refusal !== undefined) throw await refuse(options, plan, refusal);
  if (plan.done) return { changed: false, plan, operation: null };
  const drift = driftOf(plan, planHash, dryRunOf(plan));
  if (drift !== undefined) throw await refuse(options, plan, drift);
  if (signal?.aborted === true) {
    throw refusedError('interrupted before anything was changed', {
      code: 'interrupted',
      next: `capstan member ${plan.action} ${plan.member}`,
    });
  }
  const contract = await readContract(etcd, keys);
  const journal = new OperationJournal({ etcd, keys, clock });
  const machine = machineFor(plan);
  const held = await begin({ options, plan, view, journal });
  const run = { etcd, keys, contract, journal, clock, machine, signal, onProgress };
  report(run, held.value, { step: machine.first, state: 'finished', detail: `next: ${held.value.phase}` });
  const done = await drive(run, MEMBERSHIP_STEPS, held);
  return { changed: true, plan, operation: done.value };
}

/** One transaction: the operation, the key that admits one for this member, and the first epoch where the action has one. */
async function begin(about: {
  readonly options: RunMembershipOptions;
  readonly plan: MembershipPlan;
  readonly view: ClusterView;
  readonly journal: OperationJournal;
}): Promise<HeldOperation> {
  const { options, plan, view, journal } = about;
  const { keys, actor, clock = systemClock } = options;
  const { action, cluster, member, region, hash } = plan;
  const reason = options.reason ?? `member ${action}`;
  const machine = machineFor(plan);
  const now = nowOf(clock);
  const id = newOperationId('membership', now, clock);
  const begun = newOperation({
    id,
    kind: 'membership',
    cluster,
    phase: machine.first,
    actor,
    reason,
    planHash: hash,
    plan: { ...plan },
    approvals: plan.approvals,
    coordinatorId: newCoordinatorId(clock),
    now,
  });
  const phase = machine.advance(machine.first, 'completed');
  const result = { member, from: plan.role, region };
  const next = finishStep({ record: begun, result, phase, status: machine.statusOf(phase), now });
  const outcome = await journal.write({
    held: undefined,
    next,
    with: (transaction) => {
      const changes = action === 'promote' ? {} : { [member]: { region, role: 'learner' } as const };
      changeMembership(transaction, {
        keys,
        view,
        changes,
        actor,
        reason,
        operation: id,
        planHash: hash,
        clock,
      });
      transaction
        .expect(keys.inSync(cluster), revisionOf(view.inSync))
        .expect(keys.member(cluster, member), revisionOf(view.members.get(member)))
        .expect(keys.rejoin(cluster, member), revisionOf(view.rejoins.get(member)))
        .expect(keys.memberOperation(cluster, member), revisionOf(view.memberOperations.get(member)))
        .put(keys.memberOperation(cluster, member), id);
      const entry = {
        actor,
        action: 'membership.start',
        target: cluster,
        operation: id,
        planHash: hash,
        before: { member, role: plan.role, epoch: plan.epoch },
        after: { action, member, goal: plan.goal, approvals: plan.approvals },
        reason,
      };
      auditIn(transaction, keys, entry, clock);
    },
  });
  if (outcome.kind === 'written') return outcome.held;
  if (outcome.kind === 'superseded') throw overtaken(id);
  throw await refuse(options, plan, {
    code: 'plan_drifted',
    message: `something that the plan rests on changed while it began`,
    next: dryRunOf(plan),
  });
}

const dryRunOf = ({ action, member }: MembershipPlan) => `capstan member ${action} ${member} --dry-run`;

function refuse(
  { etcd, keys, actor, clock = systemClock }: RunMembershipOptions,
  plan: MembershipPlan,
  refusal: Refusal,
): Promise<CapstanError> {
  const { cluster: target, member, role, epoch } = plan;
  const stands = { member, role, epoch };
  return audited({ etcd, keys, actor, clock, action: 'membership.start', target, stands, plan }, refusal);
}
