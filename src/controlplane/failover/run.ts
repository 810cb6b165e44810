import { nowOf } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import { type CapstanError, refusedError } from '../../domain/errors.ts';
import type { AuthorityRecord } from '../../domain/records.ts';
import type { EtcdPort } from '../../etcd/port.ts';
import { auditIn } from '../audit.ts';
import { nextAuthority } from '../authority.ts';
import { drive } from '../operation/drive.ts';
import { OperationJournal, type HeldOperation } from '../operation/journal.ts';
import { finishStep, newCoordinatorId, newOperation, newOperationId } from '../operation/record.ts';
import {
  audited,
  driftOf,
  overtaken,
  type Refusal,
  refusalOf,
  unaudited,
  whoWasFirst,
} from '../operation/refusal.ts';
import { type OperationProgress, type OperationResult, report } from '../operation/run.ts';
import { revisionOf, type Versioned } from '../store.ts';
import { automaticRefusal, expectStillLapsed, type SeenLapsed } from './automatic-fence.ts';
import { machineOf } from './phases.ts';
import type { FailoverPlan } from './plan-types.ts';
import { type FailoverRequest, type ReadPlan, readFailoverPlan } from './read-plan.ts';
import { stepsOf } from './steps.ts';

export interface RunFailoverOptions extends FailoverRequest {
  readonly etcd: EtcdPort;
  /** The hash of the plan that was shown; a plan that differs by now is refused. */
  readonly planHash?: string | undefined;
  readonly actor: string;
  readonly reason?: string | undefined;
  /** An agent's own decision: it stands down where a person has not allowed it, and its refusals are nobody's to audit. */
  readonly automatic?: SeenLapsed | undefined;
  /** Aborted: stop at the next safe boundary, with `operation_interrupted`. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: OperationProgress) => void) | undefined;
}

/**
 * Plans and runs a failover, in region or to another region, and answers once the new leader holds its lease and leads. Refusals (exit 4)
 * change nothing but the audit log: the plan's own (`leader_healthy`, `no_candidate`, `cluster_degraded`, …),
 * `plan_drifted`, `operation_active`. `operation_interrupted` and the `…_incomplete`/`…_overdue` codes (exit 5) leave an
 * operation that `capstan operation resume` goes on with; `operation_superseded` (exit 4) says that another one does.
 */
export async function runFailover(options: RunFailoverOptions): Promise<OperationResult> {
  const { etcd, keys, signal, onProgress, clock = systemClock } = options;
  const planned = await readFailoverPlan({ ...options, leaderIsDead: options.automatic?.leaderIsDead });
  await refuseUnlessRunnable(options, planned.plan);
  await refuseUnlessAllowed(options, planned);
  if (signal?.aborted === true) {
    throw refusedError('interrupted before the fence: nothing was changed', {
      code: 'interrupted',
      next: `capstan failover run ${options.cluster}`,
    });
  }
  const journal = new OperationJournal({ etcd, keys, clock });
  const fencedAtMonotonicMs = clock.monotonicMs();
  const held = await fence({ options, planned, journal });
  const heldSinceMonotonicMs = clock.monotonicMs();
  const run = {
    etcd,
    keys,
    contract: planned.contract.value,
    journal,
    clock,
    machine: machineOf(held.value),
    signal,
    onProgress,
    fencedAtMonotonicMs,
    heldSinceMonotonicMs,
  };
  report(run, held.value, {
    step: 'fence',
    state: 'finished',
    detail: `term ${planned.plan.nextTerm}, no leader`,
  });
  const done = await drive(run, stepsOf(held.value), held);
  return { changed: true, operation: done.value };
}

async function refuseUnlessRunnable(options: RunFailoverOptions, plan: FailoverPlan): Promise<void> {
  const next = `capstan failover run ${plan.cluster} --dry-run`;
  const refusal = refusalOf(plan.refusals) ?? driftOf(plan, options.planHash, next);
  if (refusal !== undefined) throw await refuse(options, plan, refusal);
}

async function refuseUnlessAllowed(options: RunFailoverOptions, planned: ReadPlan): Promise<void> {
  const { automatic, cluster, clock = systemClock } = options;
  if (automatic === undefined) return;
  const { view, contract, plan } = planned;
  const message = automaticRefusal({ view, contract, seen: automatic }, clock.wallMs());
  if (message === undefined) return;
  throw await refuse(options, plan, {
    code: 'automatic_stood_down',
    message,
    next: `capstan cluster show ${cluster}`,
  });
}

/** An agent's own refusal is nobody's to audit. */
async function refuse(
  { etcd, keys, actor, automatic, clock = systemClock }: RunFailoverOptions,
  plan: FailoverPlan,
  refusal: Refusal,
): Promise<CapstanError> {
  if (automatic !== undefined) return unaudited({ plan }, refusal);
  const { cluster: target, leader, term } = plan;
  const stands = { leader, term };
  return audited({ etcd, keys, actor, clock, action: 'failover.start', target, stands, plan }, refusal);
}

/**
 * One transaction: authority fenced under the next term, the operation, and the key that admits one operation. It
 * compares everything that the plan was made from, so a drift after the hash was checked is a drift too.
 */
async function fence(about: {
  readonly options: RunFailoverOptions;
  readonly planned: ReadPlan;
  readonly journal: OperationJournal;
}): Promise<HeldOperation> {
  const { options, planned, journal } = about;
  const { keys, cluster, actor, reason = 'failover', clock = systemClock } = options;
  const { plan, view, map, contract } = planned;
  const now = nowOf(clock);
  const id = newOperationId('failover', now, clock);
  const authority = view.authority as Versioned<AuthorityRecord>;
  const machine = machineOf({ plan: { ...plan } });
  const event = {
    kind: 'fence',
    operation: id,
    ...(plan.path === 'regional' ? { freeze: 'voters' as const } : {}),
  } as const;
  const fenced = nextAuthority(authority.value, event, now.toISOString());
  const begun = newOperation({
    id,
    kind: 'failover',
    cluster,
    phase: 'fence',
    actor,
    reason,
    planHash: plan.hash,
    plan: { ...plan },
    approvals: plan.approvals,
    coordinatorId: newCoordinatorId(clock),
    now,
  });
  const phase = machine.advance('fence', 'completed');
  const result = {
    term: fenced.term,
    formerLeader: plan.leader,
    // The last sign that the old leader decided: nothing in etcd tells the fault's moment any better.
    faultAt: view.lease?.value.renewedAt ?? null,
    fencedAt: now.toISOString(),
  };
  const next = finishStep({ record: begun, result, phase, status: machine.statusOf(phase), now });
  const outcome = await journal.write({
    held: undefined,
    next,
    with: (transaction) => {
      transaction
        .expect(keys.map, revisionOf(map))
        .expect(keys.membership(cluster), revisionOf(view.membership))
        .expect(keys.inSync(cluster), revisionOf(view.inSync))
        .expect(keys.authority(cluster), authority.revision)
        .put(keys.authority(cluster), fenced)
        .expect(keys.activeOperation(cluster), '0')
        .put(keys.activeOperation(cluster), id);
      if (options.automatic !== undefined)
        expectStillLapsed(transaction, { keys, view, contract }, { operation: id, now });
      const entry = {
        actor,
        action: 'failover.start',
        target: cluster,
        operation: id,
        planHash: plan.hash,
        before: authority.value,
        after: { ...fenced, approvals: plan.approvals },
        reason,
      };
      auditIn(transaction, keys, entry, clock);
    },
  });
  if (outcome.kind === 'written') return outcome.held;
  if (outcome.kind === 'superseded') throw overtaken(id);
  const first = await whoWasFirst({ etcd: options.etcd, keys, cluster, kind: 'failover' });
  throw await refuse(options, plan, first);
}
