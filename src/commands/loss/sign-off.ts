import { string as stringFlag } from '@oclif/core/flags';
import { writeFile } from 'node:fs/promises';
import { lossArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { CONFIRM_ERRORS, ETCD_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { nameFlag } from '../../cli/flags.ts';
import { entriesSection, lossSections, lostEntry, summarizeLoss } from '../../cli/present/loss.ts';
import { confirmByName } from '../../cli/prompt.ts';
import type { CommandResult } from '../../cli/result.ts';
import { messageOf } from '../../domain/errors.ts';

export default class LossSignOff extends CapstanCommand<typeof LossSignOff> {
  static override summary = 'Name what a failover has lost, for good: its tokens are `lost` from then on.';
  static override description =
    'Every member that may hold lost decisions is salvaged first (capstan member rejoin), or waived. Nothing is rewound before.';
  static override kind = 'LossSignOff';
  static override errors = [
    ...ETCD_ERRORS,
    'name_invalid',
    'loss_not_found',
    'loss_not_salvaged',
    'loss_member_unknown',
    'concurrent_change',
    'etcd_outcome_unknown',
    ...CONFIRM_ERRORS,
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> failover-20261122t205916-3f9a --reason "told the desks" --confirm=c1',
  ];
  static override args = {
    operation: lossArgument({ description: 'The failover’s id.', required: true }),
  };
  static override flags = {
    reason: stringFlag({ summary: 'For the record and the audit log.', helpValue: 'TEXT', required: true }),
    confirm: stringFlag({ summary: 'Approve without a question: the cluster’s name.', helpValue: 'CLUSTER' }),
    waive: nameFlag({
      summary:
        'A member whose data can’t be read any more: what only it held stays unknown. May be repeated.',
      multiple: true,
    }),
    file: stringFlag({ summary: 'Also write the report to this file, as JSON.', helpValue: 'FILE' }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { operation } = this.args;
    const { reason, confirm, waive = [], file } = this.flags;
    const estate = await openEstate(this.flags.config);
    const { keys } = estate;
    const [{ signOffLoss }, { findLoss }, { currentActor }] = await Promise.all([
      import('../../controlplane/loss/sign-off.ts'),
      import('../../controlplane/loss/find.ts'),
      import('../../controlplane/actor.ts'),
    ]);
    const { changed, record, entries } = await withEtcd(estate, async (etcd) => {
      const { value } = await findLoss(etcd, keys, operation);
      const { cluster, status } = value;
      if (status === 'open') {
        await this.output.preview(lossSections(summarizeLoss(value)));
        const action = `sign off the loss of ${operation}`;
        await confirmByName({ interactive: this.interactive, action, name: cluster, confirm });
      }
      return signOffLoss({ etcd, keys, operation, waive, reason, actor: currentActor() });
    });
    const loss = summarizeLoss(record);
    const lost = entries.map(lostEntry);
    const unwritten = file === undefined ? undefined : await failureToWrite(file, { loss, entries: lost });
    return {
      kind: LossSignOff.kind,
      data: { changed, loss, file: file === undefined || unwritten !== undefined ? null : file },
      names: [`loss/${operation}`],
      warnings:
        unwritten === undefined ? [] : [`${file} can’t be written: ${unwritten}; capstan loss show has it`],
      view: () => [...lossSections(loss), entriesSection(lost, 'lost')],
    };
  }
}

/** The sign-off stands whatever becomes of the file. */
async function failureToWrite(file: string, report: unknown): Promise<string | undefined> {
  try {
    await writeFile(file, `${JSON.stringify(report, null, 2)}\n`);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
