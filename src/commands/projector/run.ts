import { projectorArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { daemonLogger } from '../../cli/daemon-logger.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { openEstate } from '../../cli/estate.ts';
import { text } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class ProjectorRun extends CapstanCommand<typeof ProjectorRun> {
  static override summary =
    'Tail the shards’ logs into the projections until SIGTERM or Ctrl-C. Logs JSON on stderr.';
  static override kind = 'ProjectorRun';
  static override errors = [
    ...ETCD_ERRORS,
    'name_invalid',
    'projector_unknown',
    'projections_missing',
    'wait_timed_out',
  ] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> new-york'];
  static override args = {
    projector: projectorArgument({
      description: 'A projector under projectors: in capstan.yaml.',
      required: true,
    }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { projector } = this.args;
    const { config } = await openEstate(this.flags.config);
    const [{ runProjector }, logger] = await Promise.all([
      import('../../projections/run.ts'),
      daemonLogger({ name: `projector ${projector}`, debug: this.flags.debug }),
    ]);
    const running = await runProjector({ config, projector, signal: this.signal, logger });
    await running.closed;
    return {
      kind: ProjectorRun.kind,
      data: { projector, stopped: true },
      names: [`projector/${projector}`],
      view: () => [text(`projector ${projector} has stopped`)],
    };
  }
}
