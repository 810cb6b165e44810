import { nameArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { CONFIG_ERRORS } from '../../cli/error-catalog.ts';
import { openEstate } from '../../cli/estate.ts';
import { facts } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class AgentRun extends CapstanCommand<typeof AgentRun> {
  static override summary = 'Run the agent beside one member’s Postgres until it is told to stop.';
  static override kind = 'AgentRun';
  static override errors = [...CONFIG_ERRORS, 'secret_missing', 'postgres_missing'] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> c1-new-york-1'];
  static override args = {
    member: nameArgument({ description: 'A member in capstan.yaml.', required: true }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { member } = this.args;
    const { config } = await openEstate(this.flags.config);
    const [{ runAgent }, { pino }] = await Promise.all([import('../../agent/agent.ts'), import('pino')]);
    const logger = pino(
      { name: member, level: process.env['CAPSTAN_LOG_LEVEL'] ?? 'info' },
      pino.destination(2),
    );
    await runAgent({ config, member, signal: this.signal, logger });
    return { kind: AgentRun.kind, data: { member }, view: () => [facts([['stopped', member]])] };
  }
}
