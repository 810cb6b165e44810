import { clusterArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { lookUp } from '../../cli/estate.ts';
import { watchFlags } from '../../cli/flags.ts';
import { clusterSections } from '../../cli/present/cluster.ts';
import { pickCluster, readClusters } from '../../cli/present/clusters.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class ClusterShow extends CapstanCommand<typeof ClusterShow> {
  static override summary = 'One cluster: who leads, under which term, with what proof, and its members.';
  static override kind = 'ClusterShow';
  static override errors = [...ETCD_ERRORS, 'name_invalid', 'cluster_not_found'] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> c1'];
  static override args = { cluster: clusterArgument({ description: 'The cluster.', required: true }) };
  static override flags = { ...watchFlags };

  protected override async execute(): Promise<CommandResult> {
    const cluster = pickCluster(await lookUp(this.flags.config, readClusters), this.args.cluster);
    return {
      kind: ClusterShow.kind,
      data: cluster,
      names: [`cluster/${cluster.name}`],
      view: () => clusterSections(cluster),
    };
  }
}
