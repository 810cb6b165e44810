import { gatewayArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { daemonLogger } from '../../cli/daemon-logger.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { openEstate } from '../../cli/estate.ts';
import { text } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class GatewayRun extends CapstanCommand<typeof GatewayRun> {
  static override summary =
    'Run one gateway of the configuration until SIGTERM or Ctrl-C. Logs JSON on stderr.';
  static override kind = 'GatewayRun';
  static override errors = [
    ...ETCD_ERRORS,
    'name_invalid',
    'gateway_unknown',
    'keys_unreadable',
    'keys_invalid',
    'listen_failed',
    'wait_timed_out',
  ] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> new-york'];
  static override args = {
    gateway: gatewayArgument({ description: 'A gateway under gateways: in capstan.yaml.', required: true }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { gateway } = this.args;
    const { config } = await openEstate(this.flags.config);
    const [{ runGateway }, logger] = await Promise.all([
      import('../../gateway/run.ts'),
      daemonLogger({ name: `gateway ${gateway}`, debug: this.flags.debug }),
    ]);
    const running = await runGateway({ config, gateway, signal: this.signal, logger });
    await running.closed;
    return {
      kind: GatewayRun.kind,
      data: { gateway, stopped: true },
      names: [`gateway/${gateway}`],
      view: () => [text(`gateway ${gateway} has stopped`)],
    };
  }
}
