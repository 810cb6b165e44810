import { CapstanCommand } from '../../cli/base-command.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { lowRiskFlags } from '../../cli/flags.ts';
import { runRebalanceGoal } from '../../cli/rebalance-goal-command.ts';
import { GOAL_ERRORS, goalArguments, shardsOf } from '../../cli/rebalance-goal-flags.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class RebalanceVerify extends CapstanCommand<typeof RebalanceVerify> {
  static override summary = 'Compare every row of both sides of a rebalance once more.';
  static override kind = 'RebalanceVerify';
  static override errors = GOAL_ERRORS;
  static override examples = ['<%= config.bin %> <%= command.id %> rebalance-20261122t205916-3f9a --yes'];
  static override args = goalArguments;
  static override flags = {
    ...lowRiskFlags('both sides are compared'),
  };

  protected override async execute(): Promise<CommandResult> {
    const { flags, output, interactive, signal } = this;
    const { operation, shards } = this.args;
    const estate = await openEstate(flags.config);
    const about = {
      kind: RebalanceVerify.kind,
      goal: 'verify',
      operation,
      shards: shardsOf(shards),
    } as const;
    return withEtcd(estate, (etcd) =>
      runRebalanceGoal({ ...about, etcd, estate, flags, output, interactive, signal }),
    );
  }
}
