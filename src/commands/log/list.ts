import { string } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ARCHIVE_ERRORS, CONFIG_ERRORS } from '../../cli/error-groups.ts';
import { openEstate } from '../../cli/estate.ts';
import { listSections } from '../../cli/present/log.ts';
import type { CommandResult } from '../../cli/result.ts';
import { shardsFlag } from '../../cli/shard-list.ts';

export default class LogList extends CapstanCommand<typeof LogList> {
  static override summary = 'What the archive holds: each shard’s position, and what was superseded.';
  static override kind = 'LogList';
  static override errors = [...CONFIG_ERRORS, ...ARCHIVE_ERRORS] as const;
  static override examples = ['<%= config.bin %> <%= command.id %>'];
  static override flags = {
    shards: shardsFlag({ summary: 'Only these; default: all that are archived.' }),
    incarnation: string({ summary: 'Of the estate, where the archive holds several.', helpValue: 'ID' }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { shards, incarnation } = this.flags;
    const estate = await openEstate(this.flags.config);
    const { listCommand } = await import('../../cli/log-read-command.ts');
    const data = await listCommand({ estate, shards, incarnation });
    return {
      kind: LogList.kind,
      data,
      names: data.shards.map(({ shard }) => `shard/${shard}`),
      view: () => listSections(data),
    };
  }
}
