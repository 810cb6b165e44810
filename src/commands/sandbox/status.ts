import { CapstanCommand } from '../../cli/base-command.ts';
import { watchFlags } from '../../cli/flags.ts';
import { linkTable, PROCESS_COLUMNS } from '../../cli/present/sandbox.ts';
import { table, text } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import { openSandbox, sandboxFlag } from '../../cli/sandbox.ts';

export default class SandboxStatus extends CapstanCommand<typeof SandboxStatus> {
  static override summary = 'What runs of a sandbox, what is paused or gone, and which links are disturbed.';
  static override kind = 'SandboxStatus';
  static override errors = ['sandbox_not_found', 'sandbox_state_broken'] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --watch',
  ];
  static override flags = { name: sandboxFlag(), ...watchFlags };

  protected override async execute(): Promise<CommandResult> {
    const { sandboxStatus } = await import('../../sandbox/status.ts');
    const { paths, state } = await openSandbox(this.flags.name);
    const { warnings, ...data } = await sandboxStatus(paths, state);
    return {
      kind: SandboxStatus.kind,
      data,
      warnings,
      names: data.processes.map(({ name }) => `process/${name}`),
      view: () => [
        table({ columns: PROCESS_COLUMNS, rows: data.processes }),
        ...(data.disturbedLinks === null || data.disturbedLinks.length === 0
          ? [text(data.disturbedLinks === null ? 'links: unknown' : 'links: all open')]
          : [linkTable(data.disturbedLinks)]),
      ],
    };
  }
}
