import { string as stringArg } from '@oclif/core/args';
import { CapstanCommand } from '../../../cli/base-command.ts';
import { changeLinks, LINK_ERRORS, linkArgs, linkFlags } from '../../../cli/link-command.ts';
import type { CommandResult } from '../../../cli/result.ts';
import { parseDurationMs } from '../../../domain/duration.ts';
import { usageError } from '../../../domain/errors.ts';

export default class SandboxLinkDelay extends CapstanCommand<typeof SandboxLinkDelay> {
  static override summary = 'Delay what goes between two regions, each way.';
  static override kind = 'SandboxLinkDelay';
  static override errors = LINK_ERRORS;
  static override examples = ['<%= config.bin %> <%= command.id %> new-york madrid 20ms'];
  static override args = {
    ...linkArgs,
    delay: stringArg({ description: 'One way, such as 20ms.', required: true }),
  };
  static override flags = linkFlags;

  protected override async execute(): Promise<CommandResult> {
    const { from, to, delay } = this.args;
    const delayMs = parseDurationMs(delay);
    if (delayMs === undefined || delayMs > 60_000) {
      throw usageError(`${JSON.stringify(delay)} is not a duration of at most 60s, such as 20ms`, {
        code: 'argument_invalid',
      });
    }
    const { name, 'one-way': oneWay } = this.flags;
    return changeLinks({
      kind: SandboxLinkDelay.kind,
      name,
      order: { from, to, oneWay },
      settings: { delayMs },
    });
  }
}
