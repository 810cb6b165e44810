import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { lookUp } from '../../cli/estate.ts';
import { nameFlag, watchFlags } from '../../cli/flags.ts';
import { MEMBER_COLUMNS } from '../../cli/present/cluster.ts';
import { pickCluster, readClusters } from '../../cli/present/clusters.ts';
import { table } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class MemberList extends CapstanCommand<typeof MemberList> {
  static override summary = 'Every member with its role and state, as its agent last said.';
  static override kind = 'MemberList';
  static override errors = [...ETCD_ERRORS, 'name_invalid', 'cluster_not_found'] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --cluster c1',
  ];
  static override flags = { cluster: nameFlag({ summary: 'Only this cluster’s members.' }), ...watchFlags };

  protected override async execute(): Promise<CommandResult> {
    const { cluster } = this.flags;
    const all = await lookUp(this.flags.config, readClusters);
    const clusters = cluster === undefined ? all : [pickCluster(all, cluster)];
    const members = clusters.flatMap((candidate) => candidate.members);
    return {
      kind: MemberList.kind,
      data: { members },
      names: members.map(({ name }) => `member/${name}`),
      view: () => [
        table({
          columns: MEMBER_COLUMNS.map((column) =>
            column.header === 'CLUSTER' ? { ...column, wide: cluster !== undefined } : column,
          ),
          rows: members,
          empty: 'no member has been heard of',
        }),
      ],
    };
  }
}
