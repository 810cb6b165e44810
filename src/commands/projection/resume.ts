import { string } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { runProjectionPause } from '../../cli/projection-pause-command.ts';
import { PROJECTION_ERRORS } from '../../cli/projections.ts';
import type { CommandResult } from '../../cli/result.ts';
import { shardsFlag } from '../../cli/shard-list.ts';

export default class ProjectionResume extends CapstanCommand<typeof ProjectionResume> {
  static override summary = 'Let the projections go on: projectors catch up from where they stood.';
  static override kind = 'ProjectionResume';
  static override errors = [...PROJECTION_ERRORS, 'flag_missing', 'shard_missing'] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> --reason "the database moves"',
    '<%= config.bin %> <%= command.id %> --shard 184 --reason "under investigation"',
  ];
  static override flags = {
    shard: shardsFlag({ summary: 'Only these shards; default: the pause of all.' }),
    reason: string({ summary: 'Why, for the audit log.', helpValue: 'TEXT', required: true }),
  };

  protected override async execute(): Promise<CommandResult> {
    const estate = await openEstate(this.flags.config);
    const { shard: shards, reason } = this.flags;
    return withEtcd(estate, (etcd) =>
      runProjectionPause({ etcd, estate, kind: ProjectionResume.kind, paused: false, shards, reason }),
    );
  }
}
