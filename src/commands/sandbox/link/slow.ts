import { string as stringArg } from '@oclif/core/args';
import { CapstanCommand } from '../../../cli/base-command.ts';
import { changeLinks, LINK_ERRORS, linkArgs, linkFlags } from '../../../cli/link-command.ts';
import type { CommandResult } from '../../../cli/result.ts';
import { usageError } from '../../../domain/errors.ts';

const UNITS: Readonly<Record<string, number>> = { B: 1, kB: 1_000, MB: 1_000_000 };

export default class SandboxLinkSlow extends CapstanCommand<typeof SandboxLinkSlow> {
  static override summary = 'Bound the bandwidth between two regions, each way.';
  static override kind = 'SandboxLinkSlow';
  static override errors = LINK_ERRORS;
  static override examples = ['<%= config.bin %> <%= command.id %> new-york madrid 200kB'];
  static override args = {
    ...linkArgs,
    bandwidth: stringArg({ description: 'Bytes a second, such as 200kB or 5MB.', required: true }),
  };
  static override flags = linkFlags;

  protected override async execute(): Promise<CommandResult> {
    const { from, to, bandwidth } = this.args;
    const [, amount, unit = 'B'] = /^(\d{1,9})(B|kB|MB)?$/.exec(bandwidth) ?? [];
    const bytesPerSecond = Number(amount) * (UNITS[unit] ?? 1);
    if (!(bytesPerSecond >= 1)) {
      throw usageError(`${JSON.stringify(bandwidth)} is not a bandwidth such as 200kB or 5MB`, {
        code: 'argument_invalid',
      });
    }
    const { name, 'one-way': oneWay } = this.flags;
    return changeLinks({
      kind: SandboxLinkSlow.kind,
      name,
      order: { from, to, oneWay },
      settings: { bytesPerSecond },
    });
  }
}
