import { type Clock, nowOf } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import type { CapstanError } from '../../domain/errors.ts';
import type { RejoinMethod, RejoinRequest } from '../../domain/rejoin-records.ts';
import type { EtcdPort, EtcdReader } from '../../etcd/port.ts';
import { auditIn } from '../audit.ts';
import { clusterNotFound, type ClusterView, readClusterView } from '../cluster-view.ts';
import type { Keys } from '../keys.ts';
import { drive } from '../operation/drive.ts';
import { type HeldOperation, OperationJournal } from '../operation/journal.ts';
import { finishStep, newCoordinatorId, newOperation, newOperationId } from '../operation/record.ts';
import { audited, driftOf, overtaken, type Refusal, refusalOf } from '../operation/refusal.ts';
import { type OperationProgress, type OperationResult, type OperationRun, report } from '../operation/run.ts';
import { ABSENT, readContract, revisionOf } from '../store.ts';
import { REJOIN } from './phases.ts';
import { planRejoin, type RejoinPlan } from './plan.ts';
import { REJOIN_STEPS } from './steps.ts';

export interface RejoinTarget {
  readonly keys: Keys;
  readonly cluster: string;
  readonly member: string;
  readonly method: RejoinMethod;
}

/** The dry run. Throws `cluster_not_found` (exit 4). */
export async function readRejoinPlan(
  options: RejoinTarget & { readonly etcd: EtcdReader },
): Promise<{ readonly plan: RejoinPlan; readonly view: ClusterView }> {
  const { etcd, keys, cluster, member, method } = options;
  const view = await readClusterView(etcd, keys, cluster);
  if (view === undefined) throw clusterNotFound(cluster);
  return { view, plan: planRejoin(view, member, method) };
}

export interface RunRejoinOptions extends RejoinTarget {
  readonly etcd: EtcdPort;
  readonly actor: string;
  readonly reason?: string | undefined;
  /** The hash of the plan that was shown; a plan that differs by now is refused. */
  readonly planHash?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: OperationProgress) => void) | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * Brings a quarantined member back, and answers once it counts again. Throws the plan's refusals and `plan_drifted` (exit 4,
 * nothing changed); `loss_not_signed_off` (exit 6): it is salvaged, and a person is asked; what waits in vain (exit 5):
 * `capstan operation resume` goes on.
 */
export async function runRejoin(options: RunRejoinOptions): Promise<OperationResult> {
  const { etcd, keys, signal, onProgress, clock = systemClock } = options;
  const { plan, view } = await readRejoinPlan(options);
  const refusal = refusalOf(plan.refusals) ?? driftOf(plan, options.planHash, dryRunOf(plan));
  if (refusal !== undefined) throw await refuse(options, plan, refusal);
  const contract = await readContract(etcd, keys);
  const journal = new OperationJournal({ etcd, keys, clock });
  const run: OperationRun = { etcd, keys, contract, journal, clock, machine: REJOIN, signal, onProgress };
  const held = await begin(run, { options, plan, view });
  report(run, held.value, { step: 'begin', state: 'finished', detail: `${plan.member} is asked to salvage` });
  const done = await drive(run, REJOIN_STEPS, held);
  return { changed: true, operation: done.value };
}

const dryRunOf = ({ member }: RejoinPlan) => `capstan member rejoin ${member} --dry-run`;

function refuse(
  { etcd, keys, actor, clock = systemClock }: RunRejoinOptions,
  plan: RejoinPlan,
  refusal: Refusal,
): Promise<CapstanError> {
  const { member: target, state, role, incarnation } = plan;
  const stands = { state, role, incarnation };
  return audited({ etcd, keys, actor, clock, action: 'rejoin.start', target, stands, plan }, refusal);
}

/** One transaction: the operation, and what the agent is asked for; it admits one rejoin of the member. */
async function begin(
  run: OperationRun,
  about: { readonly options: RunRejoinOptions; readonly plan: RejoinPlan; readonly view: ClusterView },
): Promise<HeldOperation> {
  const { options, plan, view } = about;
  const { keys, clock } = run;
  const { cluster, member, method, actor, reason = 'rejoin' } = options;
  const now = nowOf(clock);
  const id = newOperationId('rejoin', now, clock);
  const begun = newOperation({
    id,
    kind: 'rejoin',
    cluster,
    phase: 'begin',
    actor,
    reason,
    planHash: plan.hash,
    plan: { ...plan },
    approvals: [],
    coordinatorId: newCoordinatorId(clock),
    now,
  });
  const { term, incarnation } = plan;
  const phase = REJOIN.advance('begin', 'completed');
  const next = finishStep({ record: begun, result: { term, incarnation }, phase, status: 'running', now });
  const request: RejoinRequest = {
    operation: id,
    member,
    stage: 'salvage',
    term,
    incarnation,
    method,
    since: now.toISOString(),
  };
  const result = await run.journal.write({
    held: undefined,
    next,
    with: (transaction) => {
      transaction
        .expect(keys.authority(cluster), revisionOf(view.authority))
        .expect(keys.membership(cluster), revisionOf(view.membership))
        .expect(keys.rejoin(cluster, member), ABSENT)
        .put(keys.rejoin(cluster, member), request);
      const entry = {
        actor,
        action: 'rejoin.start',
        target: member,
        operation: id,
        planHash: plan.hash,
        before: { state: plan.state, role: plan.role, incarnation },
        after: request,
        reason,
      };
      auditIn(transaction, keys, entry, clock);
    },
  });
  if (result.kind === 'written') return result.held;
  if (result.kind === 'superseded') throw overtaken(id);
  throw await refuse(options, plan, {
    code: 'plan_drifted',
    message: `what the rejoin of ${member} rests on changed while it began`,
    next: dryRunOf(plan),
  });
}
