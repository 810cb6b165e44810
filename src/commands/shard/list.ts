import { string } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { lookUp } from '../../cli/estate.ts';
import { nameFlag } from '../../cli/flags.ts';
import { table } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import type { ShardList as ShardListData } from '../../cli/schemas/map.ts';
import { readEstateSnapshot } from '../../controlplane/estate-snapshot.ts';

export default class ShardList extends CapstanCommand<typeof ShardList> {
  static override summary = 'Shards with their owner, generation and state.';
  static override kind = 'ShardList';
  static override errors = ETCD_ERRORS;
  static override examples = ['<%= config.bin %> <%= command.id %> --cluster c1'];
  static override flags = {
    cluster: nameFlag({ summary: 'Only those that this cluster owns.' }),
    state: string({ summary: 'Only those in this state.', options: ['serving', 'sealed'] }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { cluster, state } = this.flags;
    const { map, shards } = await lookUp(this.flags.config, ({ etcd, keys }) =>
      readEstateSnapshot(etcd, keys),
    );
    const data: ShardListData = {
      mapVersion: map.value.version,
      shards: [...shards.values()]
        .map(({ value }) => ({
          shard: value.shard,
          cluster: value.cluster,
          generation: value.generation,
          state: value.state,
          mapVersion: value.mapVersion,
        }))
        .filter((entry) => cluster === undefined || entry.cluster === cluster)
        .filter((entry) => state === undefined || entry.state === state)
        .toSorted((a, b) => a.shard - b.shard),
    };
    return {
      kind: ShardList.kind,
      data,
      names: data.shards.map(({ shard }) => `shard/${shard}`),
      view: () => [
        table({
          columns: [
            { header: 'SHARD', value: (row) => row.shard, align: 'right' },
            { header: 'CLUSTER', value: (row) => row.cluster },
            { header: 'GENERATION', value: (row) => row.generation, align: 'right' },
            { header: 'STATE', value: (row) => row.state },
            { header: 'MAP VERSION', value: (row) => row.mapVersion, align: 'right', wide: true },
          ],
          rows: data.shards,
          empty: 'no such shard',
        }),
      ],
    };
  }
}
