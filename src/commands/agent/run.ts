import { memberArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { daemonLogger } from '../../cli/daemon-logger.ts';
import { CONFIG_ERRORS } from '../../cli/error-groups.ts';
import { openEstate } from '../../cli/estate.ts';
import { text } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class AgentRun extends CapstanCommand<typeof AgentRun> {
  static override summary =
    'Run a member’s agent, and its Postgres with it, until SIGTERM or Ctrl-C. Logs JSON on stderr.';
  static override kind = 'AgentRun';
  static override errors = [
    ...CONFIG_ERRORS,
    'name_invalid',
    'member_unknown',
    'secret_missing',
    'postgres_missing',
    'os_user_missing',
    'agent_memory_foreign',
    'agent_already_runs',
  ] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> c1-new-york-1'];
  static override args = {
    member: memberArgument({ description: 'A member of a cluster in capstan.yaml.', required: true }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { member } = this.args;
    const { config } = await openEstate(this.flags.config);
    const [{ runAgent }, logger] = await Promise.all([
      import('../../agent/agent.ts'),
      daemonLogger({ name: `agent ${member}`, debug: this.flags.debug }),
    ]);
    await runAgent({ config, member, signal: this.signal, logger });
    return {
      kind: AgentRun.kind,
      data: { member, stopped: true },
      names: [`member/${member}`],
      view: () => [text(`the agent of ${member} has stopped`)],
    };
  }
}
