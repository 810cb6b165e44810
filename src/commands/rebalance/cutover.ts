import { CapstanCommand } from '../../cli/base-command.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { changeFlags, durationFlag } from '../../cli/flags.ts';
import { runRebalanceGoal } from '../../cli/rebalance-goal-command.ts';
import { GOAL_ERRORS, goalArguments, shardsOf } from '../../cli/rebalance-goal-flags.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class RebalanceCutover extends CapstanCommand<typeof RebalanceCutover> {
  static override summary = 'Hand shards over to the clusters that they were copied to.';
  static override description =
    'Each stream is sealed, the rest arrives and is compared, and one transaction names the new owner. Beyond the pause budget it is backed out, and the owner serves on.';
  static override kind = 'RebalanceCutover';
  static override errors = GOAL_ERRORS;
  static override examples = [
    '<%= config.bin %> <%= command.id %> rebalance-20261122t205916-3f9a --dry-run',
    '<%= config.bin %> <%= command.id %> rebalance-20261122t205916-3f9a 184 200-210 --confirm=c1 --pause-budget 500ms',
  ];
  static override args = goalArguments;
  static override flags = {
    'pause-budget': durationFlag({ summary: 'The longest pause of each stream, instead of the plan’s.' }),
    ...changeFlags('every stream is handed over'),
  };

  protected override async execute(): Promise<CommandResult> {
    const { flags, output, interactive, signal } = this;
    const { operation, shards } = this.args;
    const estate = await openEstate(flags.config);
    const about = {
      kind: RebalanceCutover.kind,
      goal: 'cutover',
      operation,
      shards: shardsOf(shards),
    } as const;
    return withEtcd(estate, (etcd) =>
      runRebalanceGoal({ ...about, etcd, estate, flags, output, interactive, signal }),
    );
  }
}
