import { clusterArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { pauseResult } from '../../cli/present/pause.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class ClusterUnpause extends CapstanCommand<typeof ClusterUnpause> {
  static override summary = 'Let agents fail a cluster over by themselves again.';
  static override kind = 'ClusterUnpause';
  static override errors = [
    ...ETCD_ERRORS,
    'name_invalid',
    'cluster_not_found',
    'concurrent_change',
    'etcd_outcome_unknown',
  ] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> c1'];
  static override args = { cluster: clusterArgument({ description: 'The cluster.', required: true }) };

  protected override async execute(): Promise<CommandResult> {
    const { cluster } = this.args;
    const estate = await openEstate(this.flags.config);
    const [{ unpauseCluster }, { currentActor }] = await Promise.all([
      import('../../controlplane/automatic/pause.ts'),
      import('../../controlplane/actor.ts'),
    ]);
    const { keys } = estate;
    const result = await withEtcd(estate, (etcd) =>
      unpauseCluster({ etcd, keys, cluster, actor: currentActor() }),
    );
    return pauseResult(ClusterUnpause.kind, cluster, result);
  }
}
