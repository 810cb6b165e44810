import { newLeaderOf, newLeaderSections } from './present/new-leader.ts';
import { planSections } from './present/failover.ts';
import { planRefusal } from './present/refusals.ts';
import type { CommandResult } from './result.ts';
import { type ChangeFlags, type ChangeMeans, runChange } from './run-change.ts';
import type { FailoverRunData } from './schemas/failover.ts';

export interface FailoverFlags extends ChangeFlags {
  readonly target?: string | undefined;
  readonly force: boolean;
  readonly 'accept-degraded': boolean;
  readonly region?: string | undefined;
  readonly 'accept-loss'?: number | undefined;
  readonly 'attest-isolated'?: string | undefined;
}

/** `capstan failover run`. */
export async function runFailoverCommand(
  means: ChangeMeans<FailoverFlags> & { readonly cluster: string },
): Promise<CommandResult> {
  const { etcd, estate, cluster, flags } = means;
  const { readFailoverPlan } = await import('../controlplane/failover/read-plan.ts');
  const request = {
    etcd,
    keys: estate.keys,
    cluster,
    target: flags.target,
    force: flags.force,
    acceptDegraded: flags['accept-degraded'],
    region: flags.region,
    acceptLoss: flags['accept-loss'],
    attestIsolated: flags['attest-isolated'],
  };
  const { plan } = await readFailoverPlan(request);
  return runChange<FailoverRunData>(means, {
    kind: 'FailoverRun',
    cluster,
    subject: `failover ${cluster}`,
    question: `fail over ${cluster}${flags.region === undefined ? '' : ` to ${flags.region}`}`,
    planHash: plan.hash,
    refusal: planRefusal(plan),
    alreadySo: undefined,
    planSections: () => planSections(plan),
    run: async (order) => {
      const { runFailover } = await import('../controlplane/failover/run.ts');
      return runFailover({ ...request, ...order });
    },
    dataOf: (parts) => ({ ...parts, plan, ...newLeaderOf(parts.operation) }),
    outcome: (data) => newLeaderSections(cluster, data),
  });
}
