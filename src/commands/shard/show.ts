import { CapstanCommand } from '../../cli/base-command.ts';
import { shardArgument } from '../../cli/arguments.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcdReader } from '../../cli/estate.ts';
import { readShard, shardSections } from '../../cli/present/shard.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class ShardShow extends CapstanCommand<typeof ShardShow> {
  static override summary =
    'One shard: its owner in etcd, its head and lineage in Postgres, and whether they agree.';
  static override kind = 'ShardShow';
  static override errors = [...ETCD_ERRORS, 'argument_invalid', 'shard_missing'] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> 184'];
  static override args = { shard: shardArgument({ description: 'The shard’s number.', required: true }) };

  protected override async execute(): Promise<CommandResult> {
    const estate = await openEstate(this.flags.config);
    const { data, warnings } = await withEtcdReader(estate, (etcd) =>
      readShard({ etcd, estate, shard: this.args.shard }),
    );
    return {
      kind: ShardShow.kind,
      data,
      warnings,
      names: [`shard/${data.shard}`],
      view: () => shardSections(data),
    };
  }
}
