import { CapstanCommand } from '../../cli/base-command.ts';
import { openEstate, withEtcdReader } from '../../cli/estate.ts';

import { runVerifyCommand } from '../../cli/projection-verify-command.ts';
import { PROJECTION_ERRORS } from '../../cli/projections.ts';
import type { CommandResult } from '../../cli/result.ts';
import { shardsFlag } from '../../cli/shard-list.ts';

export default class ProjectionVerify extends CapstanCommand<typeof ProjectionVerify> {
  static override summary =
    'Hold every row of the projections against the fold of the log, read anew from the shards.';
  static override description =
    'Each shard is compared at the position of its watermark, in one snapshot. Exit 3 when a row differs, or a shard can’t be compared.';
  static override kind = 'ProjectionVerify';
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
  };

  protected override async execute(): Promise<CommandResult> {
    const estate = await openEstate(this.flags.config);
    return withEtcdReader(estate, (etcd) =>
      runVerifyCommand({
        etcd,
        estate,
        kind: ProjectionVerify.kind,
        shards: this.flags.shard,
        differencesMax: 5,
        signal: this.signal,
      }),
    );
  }
}
