import { CapstanCommand } from '../../cli/base-command.ts';
import { openEstate, withEtcdReader } from '../../cli/estate.ts';
import { countFlag } from '../../cli/flags.ts';
import { runVerifyCommand } from '../../cli/projection-verify-command.ts';
import { PROJECTION_ERRORS } from '../../cli/projections.ts';
import type { CommandResult } from '../../cli/result.ts';
import { shardsFlag } from '../../cli/shard-list.ts';

export default class ProjectionDiff extends CapstanCommand<typeof ProjectionDiff> {
  static override summary =
    'The rows of the projections that are not the fold of their log, with the columns that differ.';
  static override description =
    'Each shard is compared at the position of its watermark, in one snapshot. Exit 3 when a row differs, or a shard can’t be compared.';
  static override kind = 'ProjectionDiff';
  static override errors = [
    ...PROJECTION_ERRORS,
    'flag_invalid',
    'shard_missing',
    'projection_differs',
    'projection_uncompared',
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> --shard 184',
    '<%= config.bin %> <%= command.id %>',
  ];
  static override flags = {
    shard: shardsFlag({ summary: 'Only these shards; default: all.' }),
    limit: countFlag(1)({ summary: 'Show at most so many rows of a shard (default 100).' }),
  };

  protected override async execute(): Promise<CommandResult> {
    const estate = await openEstate(this.flags.config);
    return withEtcdReader(estate, (etcd) =>
      runVerifyCommand({
        etcd,
        estate,
        kind: ProjectionDiff.kind,
        shards: this.flags.shard,
        differencesMax: this.flags.limit ?? 100,
        signal: this.signal,
      }),
    );
  }
}
