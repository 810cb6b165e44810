import { custom } from '@oclif/core/args';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { lookUp } from '../../cli/estate.ts';
import { wholeNumber } from '../../cli/arguments.ts';
import { table, text } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import type { MapDiff as MapDiffData } from '../../cli/schemas/map.ts';
import { mapDiff, readMap } from '../../controlplane/shard-map.ts';

const versionArgument = custom<number>({ parse: async (input) => wholeNumber(input, 'a map version') });

export default class MapDiff extends CapstanCommand<typeof MapDiff> {
  static override summary = 'What changed between two versions of the shard map, shard by shard.';
  static override kind = 'MapDiff';
  static override errors = [...ETCD_ERRORS, 'map_version_missing'] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> 1',
    '<%= config.bin %> <%= command.id %> 1 3',
  ];
  static override args = {
    from: versionArgument({ description: 'The earlier version.', required: true }),
    to: versionArgument({ description: 'The later version; else the newest.' }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { from } = this.args;
    const data = await lookUp(this.flags.config, async ({ etcd, keys }): Promise<MapDiffData> => {
      const to = this.args.to ?? (await readMap(etcd, keys)).map.value.version;
      return { from, to, changes: [...(await mapDiff(etcd, keys, { from, to }))] };
    });
    return {
      kind: MapDiff.kind,
      data,
      names: data.changes.map(({ shard }) => `shard/${shard}`),
      view: () => [
        text(`map version ${data.from} to ${data.to}: ${data.changes.length} shards changed`),
        table({
          columns: [
            { header: 'SHARD', value: (row) => row.shard, align: 'right' },
            { header: 'FROM', value: (row) => owner(row.from) },
            { header: 'TO', value: (row) => owner(row.to) },
          ],
          rows: data.changes,
          empty: 'no difference',
        }),
      ],
    };
  }
}

const owner = (value: MapDiffData['changes'][number]['to']) =>
  value === null ? 'no owner' : `${value.cluster} generation ${value.generation}`;
