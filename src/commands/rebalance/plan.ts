import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS, REBALANCE_REFUSALS } from '../../cli/error-groups.ts';
import { openEstate, withEtcdReader } from '../../cli/estate.ts';
import { leaderConnections } from '../../cli/move-sides.ts';
import { planSections } from '../../cli/present/rebalance-plan.ts';
import { planRefusal } from '../../cli/present/refusals.ts';
import { askOf, limitsOf, rebalanceFlags } from '../../cli/rebalance-flags.ts';
import type { CommandResult } from '../../cli/result.ts';
import { readRebalancePlan } from '../../controlplane/rebalance/read-plan.ts';

export default class RebalancePlan extends CapstanCommand<typeof RebalancePlan> {
  static override summary =
    'Which shards would move where, by what they cost, and what stands against it. Changes nothing.';
  static override kind = 'RebalancePlan';
  static override errors = [...ETCD_ERRORS, 'name_invalid', 'flags_conflict', ...REBALANCE_REFUSALS] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --drain c1 --max-shards 60',
    '<%= config.bin %> <%= command.id %> --shards 184,200-210 --to c2',
  ];
  static override flags = { ...rebalanceFlags };

  protected override async execute(): Promise<CommandResult> {
    const { flags, signal } = this;
    const ask = askOf(flags);
    const estate = await openEstate(flags.config);
    const connect = await leaderConnections(estate);
    const about = { keys: estate.keys, connect, ask, limits: limitsOf(flags), pins: flags.pin ?? [], signal };
    const { plan, warnings } = await withEtcdReader(estate, (etcd) => readRebalancePlan({ etcd, ...about }));
    const refusal = planRefusal(plan);
    return {
      kind: RebalancePlan.kind,
      data: plan,
      names: [plan.hash],
      warnings,
      view: () => planSections(plan, []),
      ...(refusal === undefined ? {} : { error: refusal }),
    };
  }
}
