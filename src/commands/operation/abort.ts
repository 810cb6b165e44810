import { string as stringFlag } from '@oclif/core/flags';
import { operationArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { CONFIRM_ERRORS, ETCD_ERRORS, OPERATION_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { withMoveSides } from '../../cli/move-sides.ts';
import { detailOperation, operationSections } from '../../cli/present/operation.ts';
import { confirmByName } from '../../cli/prompt.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class OperationAbort extends CapstanCommand<typeof OperationAbort> {
  static override summary = 'Give an operation up, as long as its decision is not made.';
  static override kind = 'OperationAbort';
  static override errors = [
    ...ETCD_ERRORS,
    'operation_not_found',
    ...CONFIRM_ERRORS,
    'operation_past_no_return',
    'operation_finished',
    ...OPERATION_ERRORS,
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> failover-20261122t205916-3f9a --confirm=c1',
  ];
  static override args = {
    operation: operationArgument({ description: 'The operation’s id.', required: true }),
  };
  static override flags = {
    confirm: stringFlag({ summary: 'Approve without a question: the cluster’s name.', helpValue: 'CLUSTER' }),
    reason: stringFlag({ summary: 'Why, for the journal and the audit log.', helpValue: 'TEXT' }),
  };

  protected override async execute(): Promise<CommandResult> {
    const id = this.args.operation;
    const { confirm, reason } = this.flags;
    const { interactive, signal } = this;
    const estate = await openEstate(this.flags.config);
    const [{ abortOperation }, { readOperation }, { currentActor }] = await Promise.all([
      import('../../controlplane/operation/control.ts'),
      import('../../controlplane/operation/journal.ts'),
      import('../../controlplane/actor.ts'),
    ]);
    const { changed, operation: record } = await withEtcd(estate, async (etcd) => {
      const found = { etcd, keys: estate.keys, id };
      const { value } = await readOperation(found);
      if (value.status === 'running') {
        await this.output.preview(operationSections(detailOperation(value)));
        await confirmByName({ interactive, action: `abort ${id}`, name: value.cluster, confirm });
      }
      return withMoveSides({ etcd, estate }, (sides) =>
        abortOperation({ ...found, actor: currentActor(), reason, signal, sides }),
      );
    });
    const operation = detailOperation(record);
    return {
      kind: OperationAbort.kind,
      data: { changed, operation },
      names: [`operation/${operation.id}`],
      view: () => operationSections(operation),
    };
  }
}
