import { custom } from '@oclif/core/args';
import { wholeNumber } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { openEstate, withEtcdReader } from '../../cli/estate.ts';
import { watchFlags } from '../../cli/flags.ts';
import { shardProjectionSections } from '../../cli/present/projection.ts';
import { PROJECTION_ERRORS } from '../../cli/projections.ts';
import type { CommandResult } from '../../cli/result.ts';

const shardArgument = custom<number>({ parse: async (input) => wholeNumber(input, 'a shard') });

export default class ProjectionShow extends CapstanCommand<typeof ProjectionShow> {
  static override summary =
    'One shard’s projection: its watermark, its state, who has it, why it was rebuilt.';
  static override kind = 'ProjectionShow';
  static override errors = [...PROJECTION_ERRORS, 'argument_invalid', 'shard_missing'] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> 184'];
  static override args = { shard: shardArgument({ description: 'The shard’s number.', required: true }) };
  static override flags = { ...watchFlags };

  protected override async execute(): Promise<CommandResult> {
    const estate = await openEstate(this.flags.config);
    const { readShardProjection } = await import('../../cli/read-projections.ts');
    const data = await withEtcdReader(estate, (etcd) =>
      readShardProjection({ etcd, estate, shard: this.args.shard }),
    );
    return {
      kind: ProjectionShow.kind,
      data,
      names: [`shard/${data.shard}`],
      view: () => shardProjectionSections(data),
    };
  }
}
