import { boolean } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { table } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import { chosenSandbox, sandboxFlag } from '../../cli/sandbox.ts';

export default class SandboxDown extends CapstanCommand<typeof SandboxDown> {
  static override summary = 'End a sandbox and leave nothing of it: no process, no file.';
  static override kind = 'SandboxDown';
  static override errors = ['sandbox_busy', 'sandbox_processes_left', 'sandbox_not_found'] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --all',
  ];
  static override flags = {
    name: sandboxFlag({ exclusive: ['all'] }),
    all: boolean({ summary: 'Every sandbox of this user.' }),
    'keep-data': boolean({ summary: 'Stop the processes in order and keep the data; `up` goes on with it.' }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { sandboxDown } = await import('../../sandbox/down.ts');
    const { all, 'keep-data': keepData } = this.flags;
    const sandboxes = await sandboxDown({
      name: all ? undefined : chosenSandbox(this.flags.name),
      keepData,
      signal: this.signal,
    });
    return {
      kind: SandboxDown.kind,
      data: { changed: sandboxes.some(({ changed }) => changed), sandboxes },
      names: sandboxes.map(({ name }) => `sandbox/${name}`),
      view: () => [
        table({
          columns: [
            { header: 'SANDBOX', value: ({ name }) => name },
            { header: 'RESULT', value: ({ changed }) => (changed ? 'down' : 'was not up') },
            { header: 'PROCESSES ENDED', value: ({ processesEnded }) => processesEnded, align: 'right' },
            { header: 'FOLDER', value: ({ folderRemoved }) => (folderRemoved ? 'removed' : '-') },
          ],
          rows: sandboxes,
          empty: 'there is no sandbox',
        }),
      ],
    };
  }
}
