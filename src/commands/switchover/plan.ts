import { boolean } from '@oclif/core/flags';
import { clusterArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS, SWITCHOVER_REFUSALS } from '../../cli/error-groups.ts';
import { lookUp } from '../../cli/estate.ts';
import { durationFlag, nameFlag } from '../../cli/flags.ts';
import { planSections } from '../../cli/present/switchover.ts';
import { planRefusal } from '../../cli/present/refusals.ts';
import type { CommandResult } from '../../cli/result.ts';
import { readSwitchoverPlan } from '../../controlplane/switchover/read-plan.ts';

export default class SwitchoverPlan extends CapstanCommand<typeof SwitchoverPlan> {
  static override summary =
    'What a switchover of a cluster would do, and what stands against it. Changes nothing.';
  static override kind = 'SwitchoverPlan';
  static override errors = [
    ...ETCD_ERRORS,
    'name_invalid',
    'cluster_not_found',
    ...SWITCHOVER_REFUSALS,
  ] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> c1'];
  static override args = { cluster: clusterArgument({ description: 'The cluster.', required: true }) };
  static override flags = {
    target: nameFlag({ summary: 'Plan for this member instead of the first candidate.' }),
    'pause-budget': durationFlag({ summary: 'The longest write pause, instead of the contract’s.' }),
    'accept-degraded': boolean({
      summary: 'Plan to open before the old leader follows, against the contract.',
    }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { target, 'pause-budget': pauseBudgetMs, 'accept-degraded': acceptDegraded } = this.flags;
    const { cluster } = this.args;
    const { plan } = await lookUp(this.flags.config, (found) =>
      readSwitchoverPlan({ ...found, cluster, target, pauseBudgetMs, acceptDegraded }),
    );
    const refusal = planRefusal(plan);
    return {
      kind: SwitchoverPlan.kind,
      data: plan,
      names: [plan.hash],
      view: () => planSections(plan),
      ...(refusal === undefined ? {} : { error: refusal }),
    };
  }
}
