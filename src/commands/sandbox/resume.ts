import { string as stringArg } from '@oclif/core/args';
import { string } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { outcomeSection } from '../../cli/present/sandbox.ts';
import type { CommandResult } from '../../cli/result.ts';
import { openSandbox, sandboxFlag } from '../../cli/sandbox.ts';
import type { MemberPart } from '../../sandbox/control.ts';

export default class SandboxResume extends CapstanCommand<typeof SandboxResume> {
  static override summary = 'Let a paused process go on (SIGCONT).';
  static override kind = 'SandboxResume';
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
    const { resumeProcess } = await import('../../sandbox/control.ts');
    const { paths } = await openSandbox(this.flags.name);
    const data = await resumeProcess({
      paths,
      process: this.args.process,
      only: this.flags.only as MemberPart | undefined,
    });
    return {
      kind: SandboxResume.kind,
      data,
      names: [`process/${data.process}`],
      view: () => [outcomeSection('resumed', data)],
    };
  }
}
