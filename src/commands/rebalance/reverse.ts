import { CapstanCommand } from '../../cli/base-command.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { changeFlags, durationFlag } from '../../cli/flags.ts';
import { runRebalanceGoal } from '../../cli/rebalance-goal-command.ts';
import { GOAL_ERRORS, goalArguments, shardsOf } from '../../cli/rebalance-goal-flags.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class RebalanceReverse extends CapstanCommand<typeof RebalanceReverse> {
  static override summary = 'Hand shards back to the clusters that they came from.';
  static override description =
    'The same hand-over the other way: nothing that the new owner decided is lost. Where the way back is gone it copies first.';
  static override kind = 'RebalanceReverse';
  static override errors = GOAL_ERRORS;
  static override examples = [
    '<%= config.bin %> <%= command.id %> rebalance-20261122t205916-3f9a --confirm=c1',
  ];
  static override args = goalArguments;
  static override flags = {
    'pause-budget': durationFlag({ summary: 'The longest pause of each stream, instead of the plan’s.' }),
    ...changeFlags('every stream is handed back'),
  };

  protected override async execute(): Promise<CommandResult> {
    const { flags, output, interactive, signal } = this;
    const { operation, shards } = this.args;
    const estate = await openEstate(flags.config);
    const about = {
      kind: RebalanceReverse.kind,
      goal: 'reverse',
      operation,
      shards: shardsOf(shards),
    } as const;
    return withEtcd(estate, (etcd) =>
      runRebalanceGoal({ ...about, etcd, estate, flags, output, interactive, signal }),
    );
  }
}
