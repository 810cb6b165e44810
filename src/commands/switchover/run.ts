import { boolean } from '@oclif/core/flags';
import { clusterArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import {
  CONFIRM_ERRORS,
  ETCD_ERRORS,
  OPERATION_ERRORS,
  SWITCHOVER_ENDINGS,
  SWITCHOVER_REFUSALS,
} from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { changeFlags, durationFlag, nameFlag } from '../../cli/flags.ts';
import type { CommandResult } from '../../cli/result.ts';
import { runSwitchoverCommand } from '../../cli/switchover-command.ts';

export default class SwitchoverRun extends CapstanCommand<typeof SwitchoverRun> {
  static override summary = 'Hand a cluster over from its leader to a follower that holds everything.';
  static override description =
    'Prints its plan, asks for the cluster’s name, and journals each step. Nothing is lost; callers wait for a moment, or the leader keeps its cluster.';
  static override kind = 'SwitchoverRun';
  static override errors = [
    ...ETCD_ERRORS,
    'name_invalid',
    'cluster_not_found',
    ...CONFIRM_ERRORS,
    ...SWITCHOVER_REFUSALS,
    ...SWITCHOVER_ENDINGS,
    ...OPERATION_ERRORS,
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> c1 --dry-run',
    '<%= config.bin %> <%= command.id %> c1 --confirm=c1 --pause-budget 2s -o json',
  ];
  static override args = { cluster: clusterArgument({ description: 'The cluster.', required: true }) };
  static override flags = {
    target: nameFlag({ summary: 'Hand over to this member instead of the first candidate.' }),
    'pause-budget': durationFlag({ summary: 'The longest write pause, instead of the contract’s.' }),
    'accept-degraded': boolean({ summary: 'Open before the old leader follows, against the contract.' }),
    ...changeFlags('the new leader decides'),
  };

  protected override async execute(): Promise<CommandResult> {
    const { flags, output, interactive, signal } = this;
    const { cluster } = this.args;
    const estate = await openEstate(flags.config);
    return withEtcd(estate, (etcd) =>
      runSwitchoverCommand({ etcd, estate, cluster, flags, output, interactive, signal }),
    );
  }
}
