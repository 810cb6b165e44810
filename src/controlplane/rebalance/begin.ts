import { type Clock, nowOf } from '../../clock/clock.ts';
import { STREAM_SHARDS_MAX } from '../../domain/move-records.ts';
import { auditIn } from '../audit.ts';
import type { EstateSnapshot } from '../estate-snapshot.ts';
import type { Keys } from '../keys.ts';
import type { HeldOperation, OperationJournal } from '../operation/journal.ts';
import { finishStep, newCoordinatorId, newOperation, newOperationId } from '../operation/record.ts';
import { overtaken, type Refusal } from '../operation/refusal.ts';
import { revisionOf, type Transaction } from '../store.ts';
import { REBALANCE } from './phases.ts';
import type { RebalancePlan } from './plan-types.ts';

/**
 * One transaction: the operation, with its goal. The streams follow, each in one of its own. No `active-operation` is taken:
 * a failover of either cluster may begin at any time, and ends the legs that it touches. Undefined: what the plan rests on has changed.
 */
export async function beginRebalance(about: {
  readonly keys: Keys;
  readonly clock: Clock;
  readonly journal: OperationJournal;
  readonly plan: RebalancePlan;
  readonly estate: EstateSnapshot;
  readonly actor: string;
  readonly reason: string;
}): Promise<HeldOperation | undefined> {
  const { keys, clock, journal, plan, estate, actor, reason } = about;
  if (plan.streams.some((stream) => stream.shards.length > STREAM_SHARDS_MAX))
    throw new Error(`a stream of more than ${STREAM_SHARDS_MAX} shards was planned`);
  const now = nowOf(clock);
  const id = newOperationId('rebalance', now, clock);
  const begun = newOperation({
    id,
    kind: 'rebalance',
    cluster: clusterOfPlan(plan) ?? '',
    phase: 'begin',
    actor,
    reason,
    planHash: plan.hash,
    plan: { ...plan },
    approvals: [],
    coordinatorId: newCoordinatorId(clock),
    now,
  });
  const phase = REBALANCE.advance('begin', 'completed');
  const shards = plan.streams.reduce((sum, stream) => sum + stream.shards.length, 0);
  const result = { streams: plan.streams.length, shards };
  const next = {
    ...finishStep({ record: begun, result, phase, status: REBALANCE.statusOf(phase), now }),
    goal: {
      kind: 'copy' as const,
      streams: plan.streams.map(({ stream }) => stream),
      pauseBudgetMs: null,
      askedBy: actor,
      askedAt: now.toISOString(),
    },
    outcomes: [],
  };
  const outcome = await journal.write({
    held: undefined,
    next,
    with: (transaction) => {
      expectWhatItRestsOn(transaction, { keys, plan, estate });
      const entry = {
        actor,
        action: 'rebalance.start',
        target: next.cluster,
        operation: id,
        planHash: plan.hash,
        before: { mapVersion: plan.mapVersion },
        after: plan.streams.map(({ stream, from, to, shards: moved }) => ({
          stream,
          from,
          to,
          shards: moved,
        })),
        reason,
      };
      auditIn(transaction, keys, entry, clock);
    },
  });
  if (outcome.kind === 'written') return outcome.held;
  if (outcome.kind === 'superseded') throw overtaken(id);
  return undefined;
}

function expectWhatItRestsOn(
  transaction: Transaction,
  {
    keys,
    plan,
    estate,
  }: { readonly keys: Keys; readonly plan: RebalancePlan; readonly estate: EstateSnapshot },
): void {
  transaction.expect(keys.map, estate.map.revision);
  for (const name of Object.keys(plan.clusters)) {
    const cluster = estate.clusters.get(name);
    transaction
      .expect(keys.authority(name), revisionOf(cluster?.authority))
      .expect(keys.membership(name), revisionOf(cluster?.membership));
  }
}

/** What a plan rests on and is no longer so; undefined: it may be begun. */
export function planDrift(plan: RebalancePlan, estate: EstateSnapshot): Refusal | undefined {
  const version = estate.map.value.version;
  if (plan.mapVersion !== version)
    return drifted(`the plan was made from map version ${plan.mapVersion}; it is ${version} by now`);
  for (const [name, { term, epoch, leader }] of Object.entries(plan.clusters)) {
    const cluster = estate.clusters.get(name);
    const authority = cluster?.authority?.value;
    if (authority?.term !== term || authority.leader !== leader)
      return drifted(`${name} was led by ${leader} under term ${term} when the plan was made`);
    if (cluster?.membership?.value.epoch !== epoch)
      return drifted(`the members of ${name} have changed since the plan was made`);
  }
  return undefined;
}

const drifted = (message: string): Refusal => ({
  code: 'plan_drifted',
  message,
  next: 'capstan rebalance plan',
});

/** The cluster that most shards come from: where the operation is listed. */
export function clusterOfPlan({ streams }: RebalancePlan): string | undefined {
  const shards = new Map<string, number>();
  for (const { from, shards: moved } of streams) shards.set(from, (shards.get(from) ?? 0) + moved.length);
  return [...shards].toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))[0]?.[0];
}
