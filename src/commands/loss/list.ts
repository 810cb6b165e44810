import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { lookUp } from '../../cli/estate.ts';
import { watchFlags } from '../../cli/flags.ts';
import { LOSS_COLUMNS, summarizeLoss } from '../../cli/present/loss.ts';
import { table } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import { listLosses } from '../../controlplane/loss/find.ts';

export default class LossList extends CapstanCommand<typeof LossList> {
  static override summary = 'Failovers that may have lost decisions, the newest first.';
  static override kind = 'LossList';
  static override errors = ETCD_ERRORS;
  static override examples = ['<%= config.bin %> <%= command.id %>'];
  static override flags = { ...watchFlags };

  protected override async execute(): Promise<CommandResult> {
    const records = await lookUp(this.flags.config, ({ etcd, keys }) => listLosses(etcd, keys));
    const losses = records.map(({ value }) => summarizeLoss(value));
    return {
      kind: LossList.kind,
      data: { losses },
      names: losses.map(({ operation }) => `loss/${operation}`),
      view: () => [table({ columns: LOSS_COLUMNS, rows: losses, empty: 'no failover has lost anything' })],
    };
  }
}
