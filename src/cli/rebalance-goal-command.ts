import { counted } from '../domain/counted.ts';
import type { MoveGoalKind } from '../domain/move-records.ts';
import { refusedError } from '../domain/errors.ts';
import type { StreamAnswer } from '../controlplane/rebalance/answers.ts';
import { withMoveSides } from './move-sides.ts';
import { answerSections, goalSections } from './present/rebalance-goal.ts';
import { planRefusal } from './present/refusals.ts';
import type { CommandResult } from './result.ts';
import { type ChangeFlags, type ChangeMeans, runChange } from './run-change.ts';
import type { RebalanceGoalData } from './schemas/rebalance.ts';

export interface GoalFlags extends ChangeFlags {
  readonly 'pause-budget'?: number | undefined;
}

interface GoalMeans extends ChangeMeans<GoalFlags> {
  readonly kind: string;
  readonly goal: Exclude<MoveGoalKind, 'copy'>;
  readonly operation: string;
  /** Undefined: all of its streams. */
  readonly shards: readonly number[] | undefined;
}

const WORDS = {
  verify: 'compare both sides of',
  cutover: 'hand over',
  reverse: 'take back',
  complete: 'end, and keep where they are,',
  cancel: 'give up',
} as const;

/** `capstan rebalance verify|cutover|reverse|complete|cancel`. */
export async function runRebalanceGoal(means: GoalMeans): Promise<CommandResult> {
  const { etcd, estate, flags, kind, goal, operation: id, shards } = means;
  const { keys } = estate;
  const { readGoalPlan } = await import('../controlplane/rebalance/goal-plan.ts');
  const pauseBudgetMs = flags['pause-budget'];
  const request = { etcd, keys, id, goal, shards, pauseBudgetMs };
  const plan = await readGoalPlan(request);
  if (flags.plan !== undefined && flags.plan !== plan.hash) throw drifted(flags.plan, plan.hash, goal, id);
  let answers: readonly StreamAnswer[] = [];
  // What has ended is asked all the same: the answer says whether it ended so, and nothing is done.
  const asks = plan.ended ? { ...means, flags: { ...flags, confirm: plan.cluster, yes: true } } : means;
  return runChange<RebalanceGoalData>(asks, {
    kind,
    cluster: plan.cluster,
    subject: `${goal} ${id}`,
    question: `${WORDS[goal]} the shards of ${counted(plan.streams.length, 'stream')} of ${id}`,
    lowRisk: goal === 'verify',
    planHash: plan.hash,
    refusal: planRefusal(plan),
    alreadySo: plan.so && goal !== 'verify' ? `operation/${id}` : undefined,
    planSections: () => goalSections(plan),
    run: async ({ planHash: _planHash, ...order }) => {
      const { driveRebalance } = await import('../controlplane/rebalance/drive-rebalance.ts');
      const result = await withMoveSides(means, (sides) =>
        driveRebalance({ etcd, keys, id, goal, shards, pauseBudgetMs, sides, ...order }),
      );
      answers = result.streams;
      return result;
    },
    dataOf: (parts) => ({ ...parts, plan, streams: [...answers] }),
    outcome: (data) => answerSections(data),
  });
}

const drifted = (asked: string, hash: string, goal: string, id: string) =>
  refusedError(`the plan is ${hash} by now, not ${asked}: what it rests on has changed`, {
    code: 'plan_drifted',
    next: `capstan rebalance ${goal} ${id} --dry-run`,
    data: { planHash: hash },
  });
