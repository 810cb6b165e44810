import { CapstanCommand } from '../../cli/base-command.ts';
import { table } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class SandboxList extends CapstanCommand<typeof SandboxList> {
  static override summary = 'Every sandbox on this machine that you made.';
  static override kind = 'SandboxList';
  static override examples = ['<%= config.bin %> <%= command.id %>'];

  protected override async execute(): Promise<CommandResult> {
    const { listSandboxes } = await import('../../sandbox/list.ts');
    const sandboxes = await listSandboxes();
    return {
      kind: SandboxList.kind,
      data: { sandboxes },
      names: sandboxes.map(({ name }) => `sandbox/${name}`),
      view: () => [
        table({
          columns: [
            { header: 'SANDBOX', value: ({ name }) => name },
            { header: 'PROCESSES', value: ({ running, total }) => `${running} of ${total}` },
            { header: 'CREATED', value: ({ createdAt }) => createdAt ?? 'unfinished' },
            { header: 'CONFIG', value: ({ config }) => config },
          ],
          rows: sandboxes,
          empty: 'there is no sandbox; capstan sandbox up makes one',
        }),
      ],
    };
  }
}
