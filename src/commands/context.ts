import { CapstanCommand } from '../cli/base-command.ts';
import { facts } from '../cli/render/section.ts';
import type { CommandResult } from '../cli/result.ts';

export default class Context extends CapstanCommand<typeof Context> {
  static override summary = 'Which estate this command line talks to, and why.';
  static override kind = 'Context';
  static override examples = ['<%= config.bin %> <%= command.id %>'];

  protected override async execute(): Promise<CommandResult> {
    return { kind: Context.kind, data: {}, view: () => [facts([['config', 'x']])] };
  }
}
