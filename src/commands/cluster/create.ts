import { clusterArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { facts, table } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import type { ClusterCreateData } from '../../cli/schemas/estate.ts';

export default class ClusterCreate extends CapstanCommand<typeof ClusterCreate> {
  static override summary = 'Admit a cluster that the configuration describes; its agents then build it.';
  static override kind = 'ClusterCreate';
  static override errors = [
    ...ETCD_ERRORS,
    'name_invalid',
    'cluster_unknown',
    'cluster_differs',
    'concurrent_change',
    'etcd_outcome_unknown',
  ] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> c1'];
  static override args = {
    cluster: clusterArgument({ description: 'A cluster under clusters: in capstan.yaml.', required: true }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { cluster } = this.args;
    const estate = await openEstate(this.flags.config);
    const [{ createCluster }, { currentActor }] = await Promise.all([
      import('../../controlplane/create-cluster.ts'),
      import('../../controlplane/actor.ts'),
    ]);
    const { changed, record, membership } = await withEtcd(estate, (etcd) =>
      createCluster({ etcd, keys: estate.keys, config: estate.config, cluster, actor: currentActor() }),
    );
    const data: ClusterCreateData = {
      changed,
      cluster,
      homeRegion: record.homeRegion,
      bootstrapMember: record.bootstrapMember,
      epoch: membership.epoch,
      members: Object.entries(membership.members).map(([name, member]) => ({ name, ...member })),
      createdAt: record.createdAt,
    };
    return {
      kind: ClusterCreate.kind,
      data,
      names: [`cluster/${cluster}`],
      view: () => [
        facts([
          ['cluster', data.cluster],
          ['home region', data.homeRegion],
          ['bootstrap member', data.bootstrapMember],
          ['epoch', data.epoch],
          ['changed', changed ? 'yes' : 'no: it was there already'],
        ]),
        table({
          columns: [
            { header: 'MEMBER', value: (row) => row.name },
            { header: 'REGION', value: (row) => row.region },
            { header: 'ROLE', value: (row) => row.role },
          ],
          rows: data.members,
        }),
      ],
    };
  }
}
