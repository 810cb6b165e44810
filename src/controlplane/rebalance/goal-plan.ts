import type { Clock } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import { canonicalHash } from '../../domain/canonical-json.ts';
import { type MoveGoalKind, type MovePhase, otherOf } from '../../domain/move-records.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { EtcdReader } from '../../etcd/port.ts';
import { type EstateSnapshot, readEstateSnapshot } from '../estate-snapshot.ts';
import type { Keys } from '../keys.ts';
import type { Refusal } from '../operation/refusal.ts';
import { readRebalance } from './ask.ts';
import { chosenStreams } from './choose.ts';
import { streamsOf } from './context.ts';
import { nextStep } from './next-step.ts';
import { planOf, REBALANCE } from './phases.ts';
import { stepWords } from './step-words.ts';

export interface GoalStream {
  readonly stream: number;
  readonly shards: readonly number[];
  readonly owner: string;
  readonly other: string;
  /** Null: not begun. */
  readonly phase: MovePhase | null;
  readonly does: string;
}

/** What a goal would do to streams of a rebalance, and what stands against it. */
export interface GoalPlan {
  readonly kind: MoveGoalKind;
  readonly operation: string;
  /** Where the operation is listed: what a person types to approve. */
  readonly cluster: string;
  readonly pauseBudgetMs: number;
  readonly streams: readonly GoalStream[];
  readonly refusals: readonly Refusal[];
  readonly hash: string;
  /** The operation has ended: nothing is asked of it any more. */
  readonly ended: boolean;
  /** Every chosen stream is so already. */
  readonly so: boolean;
}

export interface GoalPlanRequest {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly id: string;
  readonly goal: MoveGoalKind;
  /** Undefined: all of its streams. */
  readonly shards?: readonly number[] | undefined;
  readonly pauseBudgetMs?: number | undefined;
  readonly clock?: Clock;
}

/**
 * The dry run of a goal: each stream's next step as a coordinator would take it. Throws `rebalance_not_found`,
 * `operation_not_found`, `shard_not_moving`, `shards_move_together` (exit 4).
 */
export async function readGoalPlan(request: GoalPlanRequest): Promise<GoalPlan> {
  const { etcd, keys, id, clock = systemClock } = request;
  const [{ value }, estate] = await Promise.all([
    readRebalance({ etcd, keys, id }),
    readEstateSnapshot(etcd, keys),
  ]);
  return planGoal(request, value, { estate, nowMs: clock.wallMs() });
}

function planGoal(
  { keys, id, goal, shards, pauseBudgetMs }: GoalPlanRequest,
  record: OperationRecord,
  { estate, nowMs }: { readonly estate: EstateSnapshot; readonly nowMs: number },
): GoalPlan {
  const plan = planOf(record);
  const ended = REBALANCE.isFinal(REBALANCE.phaseOf(record));
  const chosen = ended ? [] : chosenStreams({ id, plan, outcomes: record.outcomes ?? [], shards });
  const views = streamsOf({ keys }, estate, id);
  const refusals: Refusal[] = [];
  const basis: unknown[] = [];
  let open = 0;
  const streams = chosen.map((stream): GoalStream => {
    const planned = plan.streams.find((one) => one.stream === stream);
    const view = views.get(stream);
    if (view === undefined) {
      const { from = '', to = '' } = planned ?? {};
      const leaves = goal === 'complete' || goal === 'cancel';
      if (!leaves) refusals.push(notBegun(id, stream));
      return {
        stream,
        shards: planned?.shards ?? [],
        owner: from,
        other: to,
        phase: null,
        does: leaves ? 'is never begun' : 'refused: not begun yet',
      };
    }
    const { phase, owner, attempt, leg } = view.move.value;
    const step = nextStep({
      view,
      goal: { kind: goal, askedAtMs: nowMs },
      contract: estate.contract.value,
      ...plan.options,
      copies: new Map(),
      compared: false,
      nowMs,
    });
    if (step.kind === 'refused') refusals.push(step.refusal);
    if (step.kind !== 'so') open += 1;
    basis.push({ stream, phase, owner, attempt, leg });
    const does = stepWords(step);
    return { stream, shards: view.move.value.shards, owner, other: otherOf(view.move.value), phase, does };
  });
  const budgetMs = pauseBudgetMs ?? plan.options.pauseBudgetMs;
  return {
    kind: goal,
    operation: id,
    cluster: record.cluster === '' ? id : record.cluster,
    pauseBudgetMs: budgetMs,
    streams,
    refusals,
    hash: canonicalHash({ goal, operation: id, budgetMs, streams: basis }),
    ended,
    so:
      !ended && open === 0 && refusals.length === 0 && streams.length > 0 && basis.length === streams.length,
  };
}

const notBegun = (id: string, stream: number): Refusal => ({
  code: 'move_not_following',
  message: `stream ${stream} is not begun yet`,
  next: `capstan operation resume ${id}`,
});
