import { string } from '@oclif/core/flags';
import { clusterArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { facts } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import type { ClusterAcknowledgeData } from '../../cli/schemas/cluster.ts';

export default class ClusterAcknowledge extends CapstanCommand<typeof ClusterAcknowledge> {
  static override summary =
    'Lift the block that too many automatic failovers have left; the count begins anew.';
  static override kind = 'ClusterAcknowledge';
  static override errors = [
    ...ETCD_ERRORS,
    'name_invalid',
    'cluster_not_found',
    'concurrent_change',
    'etcd_outcome_unknown',
  ] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> c1 --reason "the disk was replaced"'];
  static override args = { cluster: clusterArgument({ description: 'The cluster.', required: true }) };
  static override flags = {
    reason: string({ summary: 'What was found, for the audit log.', helpValue: 'TEXT', required: true }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { cluster } = this.args;
    const { reason } = this.flags;
    const estate = await openEstate(this.flags.config);
    const [{ acknowledgeBlock }, { currentActor }] = await Promise.all([
      import('../../controlplane/automatic/block.ts'),
      import('../../controlplane/actor.ts'),
    ]);
    const { keys } = estate;
    const { changed, block } = await withEtcd(estate, (etcd) =>
      acknowledgeBlock({ etcd, keys, cluster, reason, actor: currentActor() }),
    );
    const data: ClusterAcknowledgeData = {
      changed,
      cluster,
      block: block === null ? null : { ...block, failovers: [...block.failovers] },
    };
    return {
      kind: ClusterAcknowledge.kind,
      data,
      names: [`cluster/${cluster}`],
      view: () => [
        facts([
          ['cluster', cluster],
          ['acknowledged', block === null ? 'nothing: no block stood' : block.reason],
          ['failovers', block?.failovers.map(({ operation }) => operation).join(', ')],
          ['changed', changed ? 'yes' : 'no'],
        ]),
      ],
    };
  }
}
