import { clusterArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { lookUp } from '../../cli/estate.ts';
import { watchFlags } from '../../cli/flags.ts';
import { pickByName } from '../../cli/present/clusters.ts';
import { rpoSections, summarizeRpo } from '../../cli/present/rpo.ts';
import type { CommandResult } from '../../cli/result.ts';
import type { RpoShowData } from '../../cli/schemas/rpo.ts';
import { readEstateSnapshot } from '../../controlplane/estate-snapshot.ts';

export default class RpoShow extends CapstanCommand<typeof RpoShow> {
  static override summary =
    'How far each remote follower is behind, what is claimed of it, and what the gate does.';
  static override kind = 'RpoShow';
  static override errors = [...ETCD_ERRORS, 'name_invalid', 'cluster_not_found'] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> c1 --watch',
    '<%= config.bin %> <%= command.id %> -o json | jq .data.clusters[].lagMs',
  ];
  static override args = { cluster: clusterArgument({ description: 'One cluster; else all.' }) };
  static override flags = { ...watchFlags };

  protected override async execute(): Promise<CommandResult> {
    const { cluster } = this.args;
    const snapshot = await lookUp(this.flags.config, ({ etcd, keys }) =>
      readEstateSnapshot(etcd, keys, { signal: this.signal }),
    );
    const nowMs = Date.now();
    const all = summarizeRpo(snapshot, nowMs);
    const clusters = cluster === undefined ? all : [pickByName(all, cluster, (row) => row.cluster)];
    const data: RpoShowData = { clusters, at: new Date(nowMs).toISOString() };
    return {
      kind: RpoShow.kind,
      data,
      names: clusters.map((row) => `cluster/${row.cluster}`),
      view: () => rpoSections(data),
    };
  }
}
