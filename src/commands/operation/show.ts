import { operationArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { lookUp } from '../../cli/estate.ts';
import { watchFlags } from '../../cli/flags.ts';
import { detailOperation, operationSections } from '../../cli/present/operation.ts';
import { readGoesOn } from '../../cli/present/goes-on.ts';
import { text } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import { readOperation } from '../../controlplane/operation/journal.ts';

export default class OperationShow extends CapstanCommand<typeof OperationShow> {
  static override summary = 'One operation: its plan, each step with its result, and who drives it.';
  static override kind = 'OperationShow';
  static override errors = [...ETCD_ERRORS, 'operation_not_found'] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> failover-20261122t205916-3f9a',
    '<%= config.bin %> <%= command.id %> failover-20261122t205916-3f9a --watch',
  ];
  static override args = {
    operation: operationArgument({ description: 'The operation’s id.', required: true }),
  };
  static override flags = { ...watchFlags };

  protected override async execute(): Promise<CommandResult> {
    const id = this.args.operation;
    const { held, goesOn } = await lookUp(this.flags.config, async (found) => {
      const read = await readOperation({ ...found, id });
      return { held: read, goesOn: await readGoesOn(found, read) };
    });
    const operation = detailOperation(held.value);
    return {
      kind: OperationShow.kind,
      data: { operation, goesOn },
      names: [`operation/${operation.id}`],
      view: () => [
        ...operationSections(operation),
        ...(goesOn === null ? [] : [text(`${goesOn.why}\n${goesOn.resume}`)]),
      ],
    };
  }
}
