import { readEstateSnapshot } from '../../src/controlplane/estate-snapshot.ts';
import { driveRebalance } from '../../src/controlplane/rebalance/drive-rebalance.ts';
import { pauseRebalance } from '../../src/controlplane/rebalance/pause-streams.ts';
import type { RebalancePlan } from '../../src/controlplane/rebalance/plan-types.ts';
import type { RebalanceControl } from '../../src/controlplane/rebalance/run-context.ts';
import { runRebalance } from '../../src/controlplane/rebalance/run.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { assertNever } from '../../src/domain/errors.ts';
import type { MoveGoalKind } from '../../src/domain/move-records.ts';

export type RebalanceTask =
  | {
      readonly kind: 'rebalance';
      readonly from: string;
      readonly to: string;
      /** By stream. */
      readonly shards: readonly (readonly number[])[];
      readonly pauseBudgetMs: number;
    }
  | {
      readonly kind: 'goal';
      readonly id: string;
      readonly goal: MoveGoalKind;
      readonly pauseBudgetMs?: number | undefined;
    }
  | { readonly kind: 'hold'; readonly id: string; readonly paused: boolean };

/** What a person types of a rebalance, and how it ended. */
export async function carryOutRebalance(
  task: RebalanceTask,
  control: RebalanceControl & { readonly clock: Clock },
): Promise<string> {
  switch (task.kind) {
    case 'rebalance': {
      const { operation } = await runRebalance({ ...control, plan: await planOf(task, control) });
      return `rebalance ${operation.phase}`;
    }
    case 'goal': {
      const { id, goal, pauseBudgetMs } = task;
      const { changed, operation } = await driveRebalance({ ...control, id, goal, pauseBudgetMs });
      return `rebalance ${goal} ${changed ? operation.phase : 'unchanged'}`;
    }
    case 'hold': {
      const { changed } = await pauseRebalance({ ...control, id: task.id, paused: task.paused });
      return changed ? 'changed' : 'unchanged';
    }
    default:
      return assertNever(task);
  }
}

/** As the planner's, without what it measures in Postgres. */
async function planOf(
  { from, to, shards, pauseBudgetMs }: Extract<RebalanceTask, { kind: 'rebalance' }>,
  { etcd, keys }: RebalanceControl,
): Promise<RebalancePlan> {
  const { map, clusters } = await readEstateSnapshot(etcd, keys);
  const restsOn = (name: string) => {
    const { authority, membership } = clusters.get(name) ?? {};
    return {
      term: authority?.value.term ?? 0,
      epoch: membership?.value.epoch ?? 0,
      leader: authority?.value.leader ?? '',
    };
  };
  return {
    kind: 'named',
    mapVersion: map.value.version,
    streams: shards.map((own, index) => ({
      stream: index + 1,
      from,
      to,
      shards: own,
      rows: '0',
      bytes: '0',
      decisionsPerSecond: 0,
    })),
    clusters: { [from]: restsOn(from), [to]: restsOn(to) },
    options: { concurrentCopiesMax: 2, pauseBudgetMs, verifyMaxAgeMs: 600_000 },
    reasons: [],
    refusals: [],
    hash: 'simulated',
  };
}
