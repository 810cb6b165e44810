import { counted } from '../../domain/counted.ts';
import { type Clock, timestampOf } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import { type CapstanError, refusedError } from '../../domain/errors.ts';
import type { EtcdPort } from '../../etcd/port.ts';
import { type EstateSnapshot, readEstateSnapshot } from '../estate-snapshot.ts';
import type { Keys } from '../keys.ts';
import { OperationJournal } from '../operation/journal.ts';
import { audited, driftOf, type Refusal, refusalOf } from '../operation/refusal.ts';
import { report } from '../operation/run.ts';
import { rangeRecords } from '../store.ts';
import { beginRebalance, clusterOfPlan, planDrift } from './begin.ts';
import { driveGoal, type RebalanceResult } from './drive.ts';
import type { RebalancePlan } from './plan-types.ts';
import { type RebalanceControl, rebalanceRun } from './run-context.ts';

export interface RunRebalanceOptions extends RebalanceControl {
  /** Made a moment ago from etcd, for this run; what it rests on is compared. */
  readonly plan: RebalancePlan;
  /** The hash of the plan that was shown; a plan that differs by now is refused. */
  readonly planHash?: string | undefined;
  readonly reason?: string | undefined;
}

/**
 * Begins a rebalance and drives it until every stream follows and is verified. Refusals (exit 4) change nothing but the audit log:
 * the plan's own, `plan_drifted`, `shard_moving`, `nothing_to_move`. What stops it later leaves an operation that
 * `capstan operation resume` goes on with; rows that differ are `move_differs` (exit 3).
 */
export async function runRebalance(options: RunRebalanceOptions): Promise<RebalanceResult> {
  const { etcd, keys, plan, actor, signal, clock = systemClock } = options;
  const estate = await readEstateSnapshot(etcd, keys);
  const refusal =
    refusalOf(plan.refusals) ??
    driftOf(plan, options.planHash, PLAN_AGAIN) ??
    planDrift(plan, estate) ??
    emptiness(plan) ??
    (await movingAlready(etcd, keys, plan));
  if (refusal !== undefined) throw await refuse(options, estate, refusal);
  if (signal?.aborted === true) {
    throw refusedError('interrupted before anything was changed', {
      code: 'interrupted',
      next: 'capstan rebalance start',
    });
  }
  const journal = new OperationJournal({ etcd, keys, clock });
  const reason = options.reason ?? `rebalance (${plan.kind})`;
  const held = await beginRebalance({ keys, clock, journal, plan, estate, actor, reason });
  if (held === undefined)
    throw await refuse(options, estate, {
      code: 'plan_drifted',
      message: 'something that the plan rests on changed while it began',
      next: PLAN_AGAIN,
    });
  const contract = estate.contract.value;
  const run = rebalanceRun({ control: options, clock, contract, journal, held });
  report(run, held.value, {
    step: 'begin',
    state: 'finished',
    detail: `to be copied: ${counted(plan.streams.length, 'stream')}`,
  });
  return driveGoal(run);
}

const PLAN_AGAIN = 'capstan rebalance plan';

const emptiness = ({ streams }: RebalancePlan): Refusal | undefined =>
  streams.length === 0
    ? { code: 'nothing_to_move', message: 'the plan moves no shard', next: PLAN_AGAIN }
    : undefined;

async function movingAlready(etcd: EtcdPort, keys: Keys, plan: RebalancePlan): Promise<Refusal | undefined> {
  const { records } = await rangeRecords<string>(etcd, keys.movingShards);
  for (const { shards } of plan.streams)
    for (const shard of shards) {
      const by = records.get(keys.moving(shard))?.value;
      if (by !== undefined)
        return {
          code: 'shard_moving',
          message: `shard ${shard} is being moved by operation ${by}`,
          next: `capstan rebalance status ${by}`,
        };
    }
  return undefined;
}

function refuse(
  {
    etcd,
    keys,
    actor,
    plan,
    clock = systemClock,
  }: RunRebalanceOptions & { readonly clock?: Clock | undefined },
  { map }: EstateSnapshot,
  refusal: Refusal,
): Promise<CapstanError> {
  const stands = { mapVersion: map.value.version, at: timestampOf(clock) };
  const target = clusterOfPlan(plan) ?? 'estate';
  return audited({ etcd, keys, actor, clock, action: 'rebalance.start', target, stands, plan }, refusal);
}
