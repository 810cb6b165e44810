import { boolean } from '@oclif/core/flags';
import { clusterArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS, FAILOVER_REFUSALS } from '../../cli/error-groups.ts';
import { lookUp } from '../../cli/estate.ts';
import { nameFlag } from '../../cli/flags.ts';
import { regionalFlags } from '../../cli/regional-flags.ts';
import { planSections } from '../../cli/present/failover.ts';
import { planRefusal } from '../../cli/present/refusals.ts';
import type { CommandResult } from '../../cli/result.ts';
import { readFailoverPlan } from '../../controlplane/failover/read-plan.ts';

export default class FailoverPlan extends CapstanCommand<typeof FailoverPlan> {
  static override summary =
    'What a failover of a cluster would do, and what stands against it. Changes nothing.';
  static override kind = 'FailoverPlan';
  static override errors = [
    ...ETCD_ERRORS,
    'name_invalid',
    'cluster_not_found',
    ...FAILOVER_REFUSALS,
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> c1',
    '<%= config.bin %> <%= command.id %> c1 --region madrid',
  ];
  static override args = { cluster: clusterArgument({ description: 'The cluster.', required: true }) };
  static override flags = {
    target: nameFlag({ summary: 'Plan for this member instead of the one that holds most.' }),
    force: boolean({ summary: 'Plan although the leader looks healthy.' }),
    'accept-degraded': boolean({
      summary: 'Plan to open without a same-region follower against the contract.',
    }),
    ...regionalFlags,
  };

  protected override async execute(): Promise<CommandResult> {
    const { target, force, 'accept-degraded': acceptDegraded, region } = this.flags;
    const { 'accept-loss': acceptLoss, 'attest-isolated': attestIsolated } = this.flags;
    const { cluster } = this.args;
    const { plan } = await lookUp(this.flags.config, (found) =>
      readFailoverPlan({
        ...found,
        cluster,
        target,
        force,
        acceptDegraded,
        region,
        acceptLoss,
        attestIsolated,
      }),
    );
    const refusal = planRefusal(plan);
    return {
      kind: FailoverPlan.kind,
      data: plan,
      names: [plan.hash],
      view: () => planSections(plan),
      ...(refusal === undefined ? {} : { error: refusal }),
    };
  }
}
