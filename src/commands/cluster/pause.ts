import { string } from '@oclif/core/flags';
import { clusterArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { durationFlag } from '../../cli/flags.ts';
import { pauseResult } from '../../cli/present/pause.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class ClusterPause extends CapstanCommand<typeof ClusterPause> {
  static override summary = 'Keep agents from failing a cluster over by themselves, for maintenance.';
  static override description =
    'What was fenced before goes on. capstan failover run and operation resume work as ever. A pause with --for ends by itself.';
  static override kind = 'ClusterPause';
  static override errors = [
    ...ETCD_ERRORS,
    'name_invalid',
    'cluster_not_found',
    'concurrent_change',
    'etcd_outcome_unknown',
  ] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> c1 --reason "kernel update" --for 1h'];
  static override args = { cluster: clusterArgument({ description: 'The cluster.', required: true }) };
  static override flags = {
    reason: string({ summary: 'Why, for whoever finds it paused.', helpValue: 'TEXT', required: true }),
    for: durationFlag({ summary: 'How long; else until `capstan cluster unpause`.' }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { cluster } = this.args;
    const { reason, for: forMs = null } = this.flags;
    const estate = await openEstate(this.flags.config);
    const [{ pauseCluster }, { currentActor }] = await Promise.all([
      import('../../controlplane/automatic/pause.ts'),
      import('../../controlplane/actor.ts'),
    ]);
    const { keys } = estate;
    const result = await withEtcd(estate, (etcd) =>
      pauseCluster({ etcd, keys, cluster, reason, forMs, actor: currentActor() }),
    );
    return pauseResult(ClusterPause.kind, cluster, result);
  }
}
