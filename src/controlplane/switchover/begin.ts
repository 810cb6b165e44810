import { type Clock, nowOf } from '../../clock/clock.ts';
import type { HandoverRequest } from '../../domain/agent-reports.ts';
import type { EtcdPort } from '../../etcd/port.ts';
import { auditIn } from '../audit.ts';
import type { Keys } from '../keys.ts';
import type { HeldOperation, OperationJournal } from '../operation/journal.ts';
import { finishStep, newCoordinatorId, newOperation, newOperationId } from '../operation/record.ts';
import { overtaken, type Refusal, whoWasFirst } from '../operation/refusal.ts';
import { revisionOf } from '../store.ts';
import { SWITCHOVER } from './phases.ts';
import type { ReadSwitchoverPlan } from './read-plan.ts';

export type Begun =
  | { readonly kind: 'begun'; readonly held: HeldOperation }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

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
  if (outcome.kind === 'superseded') throw overtaken(id);
  return { kind: 'refused', refusal: await whoWasFirst({ etcd, keys, cluster, kind: 'switchover' }) };
}
