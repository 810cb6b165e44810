import { boolean } from '@oclif/core/flags';
import { clusterArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { CONFIRM_ERRORS, ETCD_ERRORS, FAILOVER_REFUSALS, OPERATION_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { runFailoverCommand } from '../../cli/failover-command.ts';
import { changeFlags, nameFlag } from '../../cli/flags.ts';
import { regionalFlags } from '../../cli/regional-flags.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class FailoverRun extends CapstanCommand<typeof FailoverRun> {
  static override summary =
    'Hand a cluster over when the leader is gone: to its same-region follower, or to another region.';
  static override description =
    'Prints its plan, asks for the cluster’s name, and journals each step: kill it anywhere and capstan operation resume goes on.';
  static override kind = 'FailoverRun';
  static override errors = [
    ...ETCD_ERRORS,
    'name_invalid',
    'cluster_not_found',
    ...CONFIRM_ERRORS,
    ...FAILOVER_REFUSALS,
    ...OPERATION_ERRORS,
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> c1 --dry-run',
    '<%= config.bin %> <%= command.id %> c1 --confirm=c1 --timeout 2m -o json',
    '<%= config.bin %> <%= command.id %> c1 --region madrid --accept-loss 500',
  ];
  static override args = { cluster: clusterArgument({ description: 'The cluster.', required: true }) };
  static override flags = {
    target: nameFlag({ summary: 'Hand over to this member instead of the one that holds most.' }),
    force: boolean({ summary: 'Run although the leader looks healthy.' }),
    'accept-degraded': boolean({ summary: 'Open without a same-region follower against the contract.' }),
    ...regionalFlags,
    ...changeFlags('the new leader decides'),
  };

  protected override async execute(): Promise<CommandResult> {
    const { flags, output, interactive, signal } = this;
    const { cluster } = this.args;
    const estate = await openEstate(flags.config);
    return withEtcd(estate, (etcd) =>
      runFailoverCommand({ etcd, estate, cluster, flags, output, interactive, signal }),
    );
  }
}
