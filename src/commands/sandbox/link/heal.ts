import { string as stringArg } from '@oclif/core/args';
import { CapstanCommand } from '../../../cli/base-command.ts';
import { LINK_ERRORS, linkFlags, linkResult, pairsOf } from '../../../cli/link-command.ts';
import type { CommandResult } from '../../../cli/result.ts';
import { openSandbox } from '../../../cli/sandbox.ts';

export default class SandboxLinkHeal extends CapstanCommand<typeof SandboxLinkHeal> {
  static override summary =
    'Bring links back to what they were when the sandbox came up; all, those of one end, or those between two.';
  static override kind = 'SandboxLinkHeal';
  static override errors = LINK_ERRORS;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> new-york madrid',
  ];
  static override args = {
    from: stringArg({ description: 'A region or a member; none: all links.' }),
    to: stringArg({ description: 'The other end; none: all links of the first.' }),
  };
  static override flags = linkFlags;

  protected override async execute(): Promise<CommandResult> {
    const { from, to } = this.args;
    const { LinkClient } = await import('../../../sandbox/link/client.ts');
    const { paths, state } = await openSandbox(this.flags.name);
    const client = new LinkClient(paths, state);
    const before = await client.show();
    const order = { to, oneWay: this.flags['one-way'] };
    const pairs = from === undefined ? undefined : pairsOf({ ...order, from }, before);
    const all = before.map((link) => ({ from: link.from, to: link.to }));
    const after = await client.heal(pairs ?? all);
    return linkResult({ kind: SandboxLinkHeal.kind, pairs, before, after });
  }
}
