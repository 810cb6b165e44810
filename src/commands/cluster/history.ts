import { clusterArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { lookUp } from '../../cli/estate.ts';
import { historySection } from '../../cli/present/cluster-history.ts';
import type { CommandResult } from '../../cli/result.ts';
import type { ClusterHistoryData } from '../../cli/schemas/cluster-history.ts';
import { clusterHistory } from '../../controlplane/cluster-history.ts';

export default class ClusterHistory extends CapstanCommand<typeof ClusterHistory> {
  static override summary =
    'The terms of a cluster in order: who led, from which prefix, what the change cost, and who made it.';
  static override kind = 'ClusterHistory';
  static override errors = [...ETCD_ERRORS, 'name_invalid', 'cluster_not_found'] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> c1 -o wide'];
  static override args = { cluster: clusterArgument({ description: 'The cluster.', required: true }) };

  protected override async execute(): Promise<CommandResult> {
    const { cluster } = this.args;
    const terms = await lookUp(this.flags.config, ({ etcd, keys }) => clusterHistory(etcd, keys, cluster));
    const data: ClusterHistoryData = {
      cluster,
      terms: terms.map((term) => ({
        ...term,
        fence: term.fence === null ? null : { ...term.fence, frozen: [...term.fence.frozen] },
      })),
    };
    return {
      kind: ClusterHistory.kind,
      data,
      names: data.terms.map(({ term }) => `cluster/${cluster}/term/${term}`),
      view: () => [historySection(data)],
    };
  }
}
