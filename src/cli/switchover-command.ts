import { newLeaderOf, newLeaderSections } from './present/new-leader.ts';
import { planRefusal } from './present/refusals.ts';
import { planSections } from './present/switchover.ts';
import type { CommandResult } from './result.ts';
import { type ChangeFlags, type ChangeMeans, runChange } from './run-change.ts';
import type { SwitchoverRunData } from './schemas/switchover.ts';

export interface SwitchoverFlags extends ChangeFlags {
  readonly target?: string | undefined;
  readonly 'pause-budget'?: number | undefined;
  readonly 'accept-degraded': boolean;
}

/** `capstan switchover run`. */
export async function runSwitchoverCommand(
  means: ChangeMeans<SwitchoverFlags> & { readonly cluster: string },
): Promise<CommandResult> {
  const { etcd, estate, cluster, flags } = means;
  const { readSwitchoverPlan } = await import('../controlplane/switchover/read-plan.ts');
  const request = {
    etcd,
    keys: estate.keys,
    cluster,
    target: flags.target,
    pauseBudgetMs: flags['pause-budget'],
    acceptDegraded: flags['accept-degraded'],
  };
  const { plan } = await readSwitchoverPlan(request);
  return runChange<SwitchoverRunData>(means, {
    kind: 'SwitchoverRun',
    cluster,
    subject: `switchover ${cluster}`,
    question: `hand ${cluster} over to ${plan.target ?? 'nobody'}`,
    planHash: plan.hash,
    refusal: planRefusal(plan),
    alreadySo: undefined,
    planSections: () => planSections(plan),
    run: async (order) => {
      const { runSwitchover } = await import('../controlplane/switchover/run.ts');
      return runSwitchover({ ...request, ...order });
    },
    dataOf: (parts) => ({ ...parts, plan, ...newLeaderOf(parts.operation) }),
    outcome: (data) => newLeaderSections(cluster, data),
  });
}
