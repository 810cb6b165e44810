import { string as stringArg } from '@oclif/core/args';
import { string } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { outcomeSection } from '../../cli/present/sandbox.ts';
import type { CommandResult } from '../../cli/result.ts';
import { openSandbox, sandboxFlag } from '../../cli/sandbox.ts';
import type { MemberPart } from '../../sandbox/control.ts';

const SIGNALS = ['KILL', 'TERM', 'INT', 'QUIT', 'HUP', 'USR1', 'USR2'];

export default class SandboxKill extends CapstanCommand<typeof SandboxKill> {
  static override summary = 'Kill a process; a member means its whole host: agent, Postgres and backends.';
  static override kind = 'SandboxKill';
  static override errors = ['sandbox_not_found', 'process_unknown', 'process_still_running'] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> c1-new-york-1',
    '<%= config.bin %> <%= command.id %> c1-new-york-1 --only agent --signal TERM',
  ];
  static override args = {
    process: stringArg({ description: 'As `sandbox status` names it.', required: true }),
  };
  static override flags = {
    name: sandboxFlag(),
    signal: string({ summary: 'Which signal.', options: SIGNALS, default: 'KILL' }),
    only: string({ summary: 'One half of a member.', options: ['postgres', 'agent'] }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { killProcess } = await import('../../sandbox/control.ts');
    const { paths } = await openSandbox(this.flags.name);
    const data = await killProcess({
      paths,
      process: this.args.process,
      only: this.flags.only as MemberPart | undefined,
      signal: `SIG${this.flags.signal}` as NodeJS.Signals,
    });
    return {
      kind: SandboxKill.kind,
      data,
      names: [`process/${data.process}`],
      view: () => [outcomeSection(`sent ${this.flags.signal} to`, data)],
    };
  }
}
