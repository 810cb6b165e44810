import { lossArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { lookUp } from '../../cli/estate.ts';
import { entriesSection, lossSections, lostEntry, summarizeLoss } from '../../cli/present/loss.ts';
import type { CommandResult } from '../../cli/result.ts';
import { findLoss, readLost } from '../../controlplane/loss/find.ts';

export default class LossShow extends CapstanCommand<typeof LossShow> {
  static override summary =
    'What a failover has lost: each decision, whose it was, and whether it may have been told.';
  static override kind = 'LossShow';
  static override errors = [...ETCD_ERRORS, 'loss_not_found'] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> failover-20261122t205916-3f9a -o json'];
  static override args = {
    operation: lossArgument({ description: 'The failover’s id.', required: true }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { operation } = this.args;
    const { record, lost } = await lookUp(this.flags.config, async ({ etcd, keys }) => {
      const { value } = await findLoss(etcd, keys, operation);
      return { record: value, lost: await readLost(etcd, keys, value) };
    });
    const loss = summarizeLoss(record);
    const entries = lost.map(lostEntry);
    const final = record.status === 'signed-off';
    return {
      kind: LossShow.kind,
      data: { loss, final, entries },
      names: entries.map(({ token }) => `token/${token}`),
      view: () => [
        ...lossSections(loss),
        entriesSection(entries, final ? 'lost' : 'salvaged so far: not signed off'),
      ],
    };
  }
}
