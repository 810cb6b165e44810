import { CapstanCommand } from '../../cli/base-command.ts';
import {
  COMPARE_ERRORS,
  CONFIRM_ERRORS,
  ETCD_ERRORS,
  OPERATION_ERRORS,
  REBALANCE_REFUSALS,
} from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { lowRiskFlags } from '../../cli/flags.ts';
import { askOf, rebalanceFlags } from '../../cli/rebalance-flags.ts';
import { runRebalanceStart } from '../../cli/rebalance-start-command.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class RebalanceStart extends CapstanCommand<typeof RebalanceStart> {
  static override summary = 'Copy shards to the clusters that they are to move to, and compare both sides.';
  static override description =
    'Prints its plan and journals it. The copies follow their owners until they are handed over (cutover) or given up (cancel); callers notice nothing.';
  static override kind = 'RebalanceStart';
  static override errors = [
    ...ETCD_ERRORS,
    'name_invalid',
    'flags_conflict',
    ...CONFIRM_ERRORS,
    ...REBALANCE_REFUSALS,
    'nothing_to_move',
    'plan_drifted',
    'rebalance_partial',
    ...COMPARE_ERRORS,
    ...OPERATION_ERRORS,
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> --dry-run',
    '<%= config.bin %> <%= command.id %> --shards 184 --to c2 --yes -o json',
    '<%= config.bin %> <%= command.id %> --drain c1 --no-wait --yes',
  ];
  static override flags = { ...rebalanceFlags, ...lowRiskFlags('every copy follows and is verified') };

  protected override async execute(): Promise<CommandResult> {
    const { flags, output, interactive, signal } = this;
    askOf(flags);
    const estate = await openEstate(flags.config);
    return withEtcd(estate, (etcd) =>
      runRebalanceStart({ etcd, estate, flags, output, interactive, signal }),
    );
  }
}
