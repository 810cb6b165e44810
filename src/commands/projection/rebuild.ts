import { boolean, string } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { CONFIRM_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { runRebuildCommand } from '../../cli/projection-rebuild-command.ts';
import { PROJECTION_ERRORS } from '../../cli/projections.ts';
import type { CommandResult } from '../../cli/result.ts';
import { shardsFlag } from '../../cli/shard-list.ts';

export default class ProjectionRebuild extends CapstanCommand<typeof ProjectionRebuild> {
  static override summary = 'Have shards folded anew from the first entry of their logs.';
  static override description =
    'Projectors do it, one shard after the other, while all others go on. Until then the shard’s old rows are shown, out of budget.';
  static override kind = 'ProjectionRebuild';
  static override errors = [
    ...PROJECTION_ERRORS,
    'flag_missing',
    'flags_conflict',
    'shard_missing',
    ...CONFIRM_ERRORS,
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> --shard 184 --reason "verify found a row that differs" --yes',
    '<%= config.bin %> <%= command.id %> --all --reason "restored from a backup" --confirm=projections',
  ];
  static override flags = {
    shard: shardsFlag({ summary: 'These shards.', exclusive: ['all'] }),
    all: boolean({ summary: 'Every shard.' }),
    reason: string({ summary: 'For the record and the audit log.', helpValue: 'TEXT', required: true }),
    'dry-run': boolean({ summary: 'Print the plan and stop.' }),
    yes: boolean({ char: 'y', summary: 'Approve --shard without a question.' }),
    confirm: string({ summary: 'Approve --all without a question: projections.', helpValue: 'projections' }),
  };

  protected override async execute(): Promise<CommandResult> {
    const estate = await openEstate(this.flags.config);
    return withEtcd(estate, (etcd) =>
      runRebuildCommand({
        etcd,
        estate,
        flags: this.flags,
        output: this.output,
        interactive: this.interactive,
      }),
    );
  }
}
