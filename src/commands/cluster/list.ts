import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { lookUp } from '../../cli/estate.ts';
import { watchFlags } from '../../cli/flags.ts';
import { CLUSTER_COLUMNS } from '../../cli/present/cluster.ts';
import { readClusters } from '../../cli/present/clusters.ts';
import { table } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class ClusterList extends CapstanCommand<typeof ClusterList> {
  static override summary = 'Every cluster with its authority, lease, durability and RPO.';
  static override kind = 'ClusterList';
  static override errors = ETCD_ERRORS;
  static override examples = ['<%= config.bin %> <%= command.id %> -o wide'];
  static override flags = { ...watchFlags };

  protected override async execute(): Promise<CommandResult> {
    const clusters = await lookUp(this.flags.config, readClusters);
    return {
      kind: ClusterList.kind,
      data: { clusters },
      names: clusters.map(({ name }) => `cluster/${name}`),
      view: () => [table({ columns: CLUSTER_COLUMNS, rows: clusters, empty: 'no cluster yet' })],
    };
  }
}
