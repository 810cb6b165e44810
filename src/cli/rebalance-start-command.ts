import { counted } from '../domain/counted.ts';
import { leaderConnections, withMoveSides } from './move-sides.ts';
import { planSections } from './present/rebalance-plan.ts';
import { planRefusal } from './present/refusals.ts';
import { askOf, limitsOf, type RebalanceFlags } from './rebalance-flags.ts';
import { text } from './render/section.ts';
import type { CommandResult } from './result.ts';
import { type ChangeFlags, type ChangeMeans, runChange } from './run-change.ts';
import type { RebalanceStartData } from './schemas/rebalance.ts';

/** `capstan rebalance start`: copies, follows, verifies. Nothing is handed over by it. */
export async function runRebalanceStart(
  means: ChangeMeans<RebalanceFlags & ChangeFlags>,
): Promise<CommandResult> {
  const { etcd, estate, flags, signal } = means;
  const { keys } = estate;
  const ask = askOf(flags);
  const { readRebalancePlan } = await import('../controlplane/rebalance/read-plan.ts');
  const connect = await leaderConnections(estate);
  const request = { etcd, keys, connect, ask, limits: limitsOf(flags), pins: flags.pin ?? [], signal };
  const { plan, warnings } = await readRebalancePlan(request);
  const there = plan.refusals.length > 0 && plan.refusals.every(({ code }) => code === 'shard_already_there');
  const nothing = there || (plan.streams.length === 0 && plan.refusals.length === 0);
  return runChange<RebalanceStartData>(means, {
    kind: 'RebalanceStart',
    cluster: Object.keys(plan.clusters)[0] ?? '',
    subject: 'rebalance',
    question: `copy the shards of ${counted(plan.streams.length, 'stream')}`,
    lowRisk: true,
    planHash: plan.hash,
    refusal: there ? undefined : planRefusal(plan),
    alreadySo: nothing ? `plan/${plan.hash}` : undefined,
    planSections: () => planSections(plan, warnings),
    run: async (order) => {
      const { runRebalance } = await import('../controlplane/rebalance/run.ts');
      return withMoveSides(means, (sides) => runRebalance({ etcd, keys, plan, sides, ...order }));
    },
    dataOf: (parts) => ({ ...parts, plan }),
    outcome: ({ operation, changed }) => [
      text(
        operation === null
          ? `nothing to move: ${plan.reasons[0] ?? 'it is so already'}`
          : changed
            ? `both sides are equal; hand over with capstan rebalance cutover ${operation.id}`
            : `rebalance ${operation.id} was so already`,
      ),
    ],
  });
}
