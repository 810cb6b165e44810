import { string as stringArg } from '@oclif/core/args';
import { boolean } from '@oclif/core/flags';
import { CapstanCommand } from '../../../cli/base-command.ts';
import { changeLinks, LINK_ERRORS, linkArgs, linkFlags } from '../../../cli/link-command.ts';
import type { CommandResult } from '../../../cli/result.ts';

export default class SandboxLinkCut extends CapstanCommand<typeof SandboxLinkCut> {
  static override summary =
    'Cut the link between two regions, or all of one region’s or member’s: silence, no resets, as in a real partition.';
  static override description =
    'A region alone is cut off whole, from the other regions and so from etcd’s quorum. A member is cut off from `etcd`, from a member beside it, or, alone, from all of them; the rest of its region isn’t. With --one-way only what goes from the first to the second is cut: what the second sends still arrives. To let requests arrive and withhold their replies, cut from the server’s end to the client’s.';
  static override kind = 'SandboxLinkCut';
  static override errors = LINK_ERRORS;
  static override examples = [
    '<%= config.bin %> <%= command.id %> new-york madrid',
    '<%= config.bin %> <%= command.id %> madrid new-york --one-way --lose',
    '<%= config.bin %> <%= command.id %> new-york',
    '<%= config.bin %> <%= command.id %> c1-new-york-1 etcd',
  ];
  static override args = {
    from: linkArgs.from,
    to: stringArg({
      description:
        'Another region; of a member: `etcd`, or a member beside it. None: all links of the first.',
    }),
  };
  static override flags = {
    ...linkFlags,
    lose: boolean({
      summary:
        'Lose what is sent meanwhile, and reset those connections at the heal, instead of delivering it late.',
    }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { name, 'one-way': oneWay, lose } = this.flags;
    const { from, to } = this.args;
    return changeLinks({
      kind: SandboxLinkCut.kind,
      name,
      order: { from, to, oneWay },
      settings: { cut: lose ? 'lose' : 'hold' },
    });
  }
}
