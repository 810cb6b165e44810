import { CapstanCommand } from '../../cli/base-command.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { changeFlags } from '../../cli/flags.ts';
import { runRebalanceGoal } from '../../cli/rebalance-goal-command.ts';
import { GOAL_ERRORS, goalArguments, shardsOf } from '../../cli/rebalance-goal-flags.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class RebalanceCancel extends CapstanCommand<typeof RebalanceCancel> {
  static override summary = 'Give a rebalance up: copies are deleted, shards stay with their owners.';
  static override description =
    'Refused for what was handed over already: that is taken back by reverse, or kept by complete.';
  static override kind = 'RebalanceCancel';
  static override errors = GOAL_ERRORS;
  static override examples = [
    '<%= config.bin %> <%= command.id %> rebalance-20261122t205916-3f9a --confirm=c1',
  ];
  static override args = goalArguments;
  static override flags = {
    ...changeFlags('nothing of it is left'),
  };

  protected override async execute(): Promise<CommandResult> {
    const { flags, output, interactive, signal } = this;
    const { operation, shards } = this.args;
    const estate = await openEstate(flags.config);
    const about = {
      kind: RebalanceCancel.kind,
      goal: 'cancel',
      operation,
      shards: shardsOf(shards),
    } as const;
    return withEtcd(estate, (etcd) =>
      runRebalanceGoal({ ...about, etcd, estate, flags, output, interactive, signal }),
    );
  }
}
