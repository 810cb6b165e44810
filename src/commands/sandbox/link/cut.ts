import { boolean } from '@oclif/core/flags';
import { CapstanCommand } from '../../../cli/base-command.ts';
import { changeLinks, LINK_ERRORS, linkArgs, linkFlags, pairsOf } from '../../../cli/link-command.ts';
import type { CommandResult } from '../../../cli/result.ts';

export default class SandboxLinkCut extends CapstanCommand<typeof SandboxLinkCut> {
  static override summary = 'Cut the link between two regions: silence, no resets, as in a real partition.';
  static override description =
    'With --one-way only what goes from the first region to the second is cut: what the second sends still arrives. To let requests arrive and withhold their replies, cut from the server’s region to the client’s.';
  static override kind = 'SandboxLinkCut';
  static override errors = LINK_ERRORS;
  static override examples = [
    '<%= config.bin %> <%= command.id %> new-york madrid',
    '<%= config.bin %> <%= command.id %> madrid new-york --one-way --lose',
  ];
  static override args = linkArgs;
  static override flags = {
    ...linkFlags,
    lose: boolean({
      summary:
        'Lose what is sent meanwhile, and reset those connections at the heal, instead of delivering it late.',
    }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { name, 'one-way': oneWay, lose } = this.flags;
    const pairs = pairsOf(this.args.from, this.args.to, oneWay);
    return changeLinks({
      kind: SandboxLinkCut.kind,
      name,
      pairs,
      settings: { cut: lose ? 'lose' : 'hold' },
    });
  }
}
