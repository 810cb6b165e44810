import { nameArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { CONFIG_ERRORS } from '../../cli/error-catalog.ts';
import { openEstate } from '../../cli/estate.ts';
import { facts } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class GatewayRun extends CapstanCommand<typeof GatewayRun> {
  static override summary = 'Run one gateway until it is told to stop.';
  static override kind = 'GatewayRun';
  static override errors = [...CONFIG_ERRORS, 'secret_missing', 'etcd_unreachable'] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> new-york'];
  static override args = {
    gateway: nameArgument({ description: 'A gateway in capstan.yaml.', required: true }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { gateway } = this.args;
    const { config } = await openEstate(this.flags.config);
    const [{ runGateway }, { pino }] = await Promise.all([import('../../gateway/run.ts'), import('pino')]);
    const logger = pino(
      { name: gateway, level: process.env['CAPSTAN_LOG_LEVEL'] ?? 'info' },
      pino.destination(2),
    );
    const running = await runGateway({ config, gateway, signal: this.signal, logger });
    await running.closed;
    return {
      kind: GatewayRun.kind,
      data: { gateway, url: running.url },
      view: () => [facts([['stopped', gateway]])],
    };
  }
}
