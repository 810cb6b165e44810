import { CapstanCommand } from '../../../cli/base-command.ts';
import { watchFlags } from '../../../cli/flags.ts';
import { linksWorthShowing, linkTable } from '../../../cli/present/sandbox.ts';
import type { CommandResult } from '../../../cli/result.ts';
import { openSandbox, sandboxFlag } from '../../../cli/sandbox.ts';

export default class SandboxLinkShow extends CapstanCommand<typeof SandboxLinkShow> {
  static override summary =
    'Every link between regions, and those of members that are disturbed: delay, bandwidth, cuts and traffic.';
  static override description = 'With -o wide or json the links of all members too.';
  static override kind = 'SandboxLinkShow';
  static override errors = ['sandbox_not_found', 'link_unreachable'] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> -o wide'];
  static override flags = { name: sandboxFlag(), ...watchFlags };

  protected override async execute(): Promise<CommandResult> {
    const { LinkClient } = await import('../../../sandbox/link/client.ts');
    const { paths, state } = await openSandbox(this.flags.name);
    const links = await new LinkClient(paths, state).show();
    return {
      kind: SandboxLinkShow.kind,
      data: { links },
      names: links.map(({ from, to }) => `link/${from}/${to}`),
      view: ({ wide }) => [linkTable(linksWorthShowing(links, { wide, wanDelayMs: state.wanDelayMs }))],
    };
  }
}
