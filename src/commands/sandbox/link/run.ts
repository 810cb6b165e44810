import { string } from '@oclif/core/flags';
import { CapstanCommand } from '../../../cli/base-command.ts';
import { facts } from '../../../cli/render/section.ts';
import type { CommandResult } from '../../../cli/result.ts';

export default class SandboxLinkRun extends CapstanCommand<typeof SandboxLinkRun> {
  static override summary = 'The process that carries all traffic between regions; `sandbox up` starts it.';
  static override hidden = true;
  static override kind = 'SandboxLinkRun';
  static override flags = { name: string({ summary: 'The sandbox.', required: true }) };

  protected override async execute(): Promise<CommandResult> {
    const [{ runLinkDaemon }, { SandboxPaths }] = await Promise.all([
      import('../../../sandbox/link/daemon.ts'),
      import('../../../sandbox/folders.ts'),
    ]);
    const { name } = this.flags;
    await runLinkDaemon({ paths: new SandboxPaths(name), signal: this.signal });
    return { kind: SandboxLinkRun.kind, data: { name }, view: () => [facts([['stopped', name]])] };
  }
}
