import { string as stringArg } from '@oclif/core/args';
import { string } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { outcomeSection } from '../../cli/present/sandbox.ts';
import type { CommandResult } from '../../cli/result.ts';
import { openSandbox, sandboxFlag } from '../../cli/sandbox.ts';
import type { MemberPart } from '../../sandbox/control.ts';

export default class SandboxPause extends CapstanCommand<typeof SandboxPause> {
  static override summary = 'Freeze a process (SIGSTOP); a member means its whole host: agent and Postgres.';
  static override kind = 'SandboxPause';
  static override errors = ['sandbox_not_found', 'process_unknown', 'process_still_running'] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> c1-new-york-1',
    '<%= config.bin %> <%= command.id %> c1-new-york-2 --only postgres',
  ];
  static override args = {
    process: stringArg({ description: 'As `sandbox status` names it.', required: true }),
  };
  static override flags = {
    name: sandboxFlag(),
    only: string({ summary: 'One half of a member.', options: ['postgres', 'agent'] }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { pauseProcess } = await import('../../sandbox/control.ts');
    const { paths } = await openSandbox(this.flags.name);
    const data = await pauseProcess({
      paths,
      process: this.args.process,
      only: this.flags.only as MemberPart | undefined,
    });
    return {
      kind: SandboxPause.kind,
      data,
      names: [`process/${data.process}`],
      view: () => [outcomeSection('paused', data)],
    };
  }
}
