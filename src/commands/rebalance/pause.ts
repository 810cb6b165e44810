import { string } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { PAUSE_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { goalArguments, shardsOf } from '../../cli/rebalance-goal-flags.ts';
import { runPauseCommand } from '../../cli/rebalance-pause-command.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class RebalancePause extends CapstanCommand<typeof RebalancePause> {
  static override summary = 'Stop what is copied and applied for streams of a rebalance; nothing is lost.';
  static override description =
    'Their owners keep what is written meanwhile in their WAL, up to its bound: capstan rebalance status shows how much.';
  static override kind = 'RebalancePause';
  static override errors = PAUSE_ERRORS;
  static override examples = ['<%= config.bin %> <%= command.id %> rebalance-20261122t205916-3f9a 184'];
  static override args = goalArguments;
  static override flags = {
    reason: string({ summary: 'Why, for the audit log.', helpValue: 'TEXT' }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { operation, shards } = this.args;
    const { config, reason } = this.flags;
    const estate = await openEstate(config);
    const about = { kind: RebalancePause.kind, paused: true, operation, shards: shardsOf(shards), reason };
    return withEtcd(estate, (etcd) => runPauseCommand({ ...about, etcd, keys: estate.keys }));
  }
}
