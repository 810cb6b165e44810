import { boolean } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { lookUp } from '../../cli/estate.ts';
import { countFlag, nameFlag, watchFlags } from '../../cli/flags.ts';
import { OPERATION_COLUMNS, summarizeOperation } from '../../cli/present/operation.ts';
import { table } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import { listOperations } from '../../controlplane/operation/journal.ts';

export default class OperationList extends CapstanCommand<typeof OperationList> {
  static override summary = 'Journaled operations, the newest first.';
  static override kind = 'OperationList';
  static override errors = ETCD_ERRORS;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --unfinished --cluster c1',
  ];
  static override flags = {
    cluster: nameFlag({ summary: 'Only this cluster’s.' }),
    unfinished: boolean({ summary: 'Only those that are running or failed.' }),
    limit: countFlag()({ summary: 'The most to show.', default: 50 }),
    ...watchFlags,
  };

  protected override async execute(): Promise<CommandResult> {
    const { cluster, unfinished, limit } = this.flags;
    const records = await lookUp(this.flags.config, (found) =>
      listOperations({ ...found, cluster, limit: unfinished ? Infinity : limit }),
    );
    const operations = records
      .filter(({ status }) => !unfinished || status === 'running' || status === 'failed')
      .slice(0, limit)
      .map(summarizeOperation);
    return {
      kind: OperationList.kind,
      data: { operations },
      names: operations.map(({ id }) => `operation/${id}`),
      view: () => [table({ columns: OPERATION_COLUMNS, rows: operations, empty: 'no operations' })],
    };
  }
}
