import { type Clock, nowOf } from '../../clock/clock.ts';
import { refusedError } from '../../domain/errors.ts';
import type { HandoverRequest } from '../../domain/records.ts';
import type { EtcdPort } from '../../etcd/port.ts';
import { auditIn } from '../audit.ts';
import { readClusterView } from '../cluster-view.ts';
import type { Keys } from '../keys.ts';
import type { HeldOperation, OperationJournal } from '../operation/journal.ts';
import { finishStep, newCoordinatorId, newOperation, newOperationId } from '../operation/record.ts';
import { revisionOf } from '../store.ts';
import { SWITCHOVER } from './phases.ts';
import type { ReadSwitchoverPlan } from './read-plan.ts';

export type Begun =
  | { readonly kind: 'begun'; readonly held: HeldOperation }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string; readonly next: string };

interface BeginOptions {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly cluster: string;
  readonly actor: string;
  readonly reason?: string | undefined;
  readonly clock: Clock;
}

/**
 * One transaction: the operation, the key that admits one, and the request to the agents; the authority stays as it is. It
 * compares everything that the plan was made from, so a drift after the hash was checked is a drift too.
 */
export async function beginSwitchover(
  options: BeginOptions,
  { plan, view, map }: ReadSwitchoverPlan,
  journal: OperationJournal,
): Promise<Begun> {
  const { etcd, keys, cluster, actor, reason = 'switchover', clock } = options;
  const { leader, target, incarnation } = plan;
  if (leader === null || target === null || incarnation === null)
    throw new Error('a switchover without a leader or a target was not refused');
  const now = nowOf(clock);
  const id = newOperationId('switchover', now, clock);
  const begun = newOperation({
    id,
    kind: 'switchover',
    cluster,
    phase: 'begin',
    actor,
    reason,
    planHash: plan.hash,
    plan: { ...plan },
    approvals: plan.approvals,
    coordinatorId: newCoordinatorId(clock),
    now,
  });
  const phase = SWITCHOVER.advance('begin', 'completed');
  const next = finishStep({
    record: begun,
    result: { leader, target },
    phase,
    status: SWITCHOVER.statusOf(phase),
    now,
  });
  const { budgetMs } = plan.pause;
  const request: HandoverRequest = { operation: id, term: plan.term, leader, target, incarnation, budgetMs };
  const outcome = await journal.write({
    held: undefined,
    next,
    with: (transaction) => {
      transaction
        .expect(keys.map, revisionOf(map))
        .expect(keys.membership(cluster), revisionOf(view.membership))
        .expect(keys.inSync(cluster), revisionOf(view.inSync))
        .expect(keys.authority(cluster), revisionOf(view.authority))
        .expect(keys.activeOperation(cluster), '0')
        .put(keys.activeOperation(cluster), id)
        .put(keys.handoverRequest(cluster), request);
      const entry = {
        actor,
        action: 'switchover.start',
        target: cluster,
        operation: id,
        planHash: plan.hash,
        before: { leader, term: plan.term },
        after: { leader: target, term: plan.nextTerm },
        reason,
      };
      auditIn(transaction, keys, entry, clock);
    },
  });
  if (outcome.kind === 'written') return { kind: 'begun', held: outcome.held };
  if (outcome.kind === 'superseded') {
    // It stood, and somebody has taken the operation over before this process heard of it.
    throw refusedError(`operation ${id} was taken over by another coordinator`, {
      code: 'operation_superseded',
      next: `capstan operation show ${id}`,
      data: { operation: id },
    });
  }
  const active = (await readClusterView(etcd, keys, cluster))?.activeOperation?.value;
  return active === undefined
    ? {
        kind: 'refused',
        code: 'plan_drifted',
        message: `cluster ${cluster} or the map changed while the switchover began`,
        next: `capstan switchover run ${cluster} --dry-run`,
      }
    : {
        kind: 'refused',
        code: 'operation_active',
        message: `operation ${active} holds cluster ${cluster}`,
        next: `capstan operation resume ${active}`,
      };
}
