import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { lookUp } from '../../cli/estate.ts';
import { summarizeMap } from '../../cli/present/map.ts';
import { facts, table } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import { readEstateSnapshot } from '../../controlplane/estate-snapshot.ts';

export default class MapShow extends CapstanCommand<typeof MapShow> {
  static override summary = 'The shard map: its version, and which cluster owns which shards.';
  static override kind = 'MapShow';
  static override errors = ETCD_ERRORS;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> -o wide',
  ];

  protected override async execute(): Promise<CommandResult> {
    const { signal } = this;
    const data = await lookUp(this.flags.config, async ({ etcd, keys }) =>
      summarizeMap(await readEstateSnapshot(etcd, keys, { signal })),
    );
    return {
      kind: MapShow.kind,
      data,
      names: data.clusters.map(({ cluster }) => `cluster/${cluster}`),
      view: () => [
        facts([
          ['map version', data.version],
          ['changed', data.updatedAt],
          ['shards', data.shardCount],
          ['incarnation', data.incarnation],
        ]),
        table({
          columns: [
            { header: 'CLUSTER', value: (row) => row.cluster },
            { header: 'SHARDS', value: (row) => row.shards, align: 'right' },
            { header: 'SEALED', value: (row) => row.sealed, align: 'right' },
            { header: 'GENERATION MAX', value: (row) => row.generationMax, align: 'right', wide: true },
            { header: 'RANGES', value: (row) => row.ranges, shrink: true },
          ],
          rows: data.clusters,
          empty: 'no shard has an owner',
        }),
      ],
    };
  }
}
