import { string } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { text } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import { openSandbox, sandboxFlag } from '../../cli/sandbox.ts';

export default class SandboxEnv extends CapstanCommand<typeof SandboxEnv> {
  static override summary = 'What psql, etcdctl, curl and other tools need to talk to a sandbox.';
  static override description =
    'Prints the passwords and keys of this throw-away sandbox: that is its purpose. URLs reach each process directly, not through the links.';
  static override kind = 'SandboxEnv';
  static override errors = ['sandbox_not_found', 'sandbox_state_broken'] as const;
  static override examples = [
    'eval "$(<%= config.bin %> <%= command.id %>)"; psql "$PG_C1_NEW_YORK_1_READER"',
    '<%= config.bin %> <%= command.id %> --format json | jq .gateways',
  ];
  static override flags = {
    name: sandboxFlag(),
    format: string({
      summary: 'sh: export lines; json: the bare document without the envelope of -o json.',
      options: ['sh', 'json'],
      default: 'sh',
    }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { sandboxEnvironment, shellLines } = await import('../../sandbox/environment.ts');
    const { paths, state } = await openSandbox(this.flags.name);
    const data = await sandboxEnvironment(paths, state);
    return {
      kind: SandboxEnv.kind,
      data,
      names: data.gateways.map(({ url }) => url),
      view: () => [
        text(this.flags.format === 'json' ? JSON.stringify(data, null, 2) : shellLines(data).join('\n')),
      ],
    };
  }
}
