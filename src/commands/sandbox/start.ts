import { string as stringArg } from '@oclif/core/args';
import { CapstanCommand } from '../../cli/base-command.ts';
import { outcomeSection } from '../../cli/present/sandbox.ts';
import type { CommandResult } from '../../cli/result.ts';
import { openSandbox, sandboxFlag } from '../../cli/sandbox.ts';

export default class SandboxStart extends CapstanCommand<typeof SandboxStart> {
  static override summary = 'Start a process that was killed, with the data that it had.';
  static override kind = 'SandboxStart';
  static override errors = [
    'sandbox_not_found',
    'sandbox_busy',
    'process_unknown',
    'sandbox_spawn_failed',
  ] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> c1-new-york-1'];
  static override args = {
    process: stringArg({ description: 'As `sandbox status` names it.', required: true }),
  };
  static override flags = { name: sandboxFlag() };

  protected override async execute(): Promise<CommandResult> {
    const { startProcess } = await import('../../sandbox/control.ts');
    const { paths } = await openSandbox(this.flags.name);
    const data = await startProcess({ paths, process: this.args.process });
    return {
      kind: SandboxStart.kind,
      data,
      names: [`process/${data.process}`],
      view: () => [outcomeSection('started', data)],
    };
  }
}
