import { string } from '@oclif/core/args';
import { CapstanCommand } from '../cli/base-command.ts';
import { completionScript, isShell, SHELLS } from '../cli/completion.ts';
import { text } from '../cli/render/section.ts';
import type { CommandResult } from '../cli/result.ts';
import { usageError } from '../domain/errors.ts';

export default class Completion extends CapstanCommand<typeof Completion> {
  static override summary = 'A completion script for bash, zsh or fish.';
  static override kind = 'Completion';
  static override errors = ['argument_invalid'] as const;
  static override examples = [
    'source <(<%= config.bin %> <%= command.id %> bash)',
    '<%= config.bin %> <%= command.id %> zsh > ~/.zfunc/_capstan',
    '<%= config.bin %> <%= command.id %> fish > ~/.config/fish/completions/capstan.fish',
  ];
  static override args = {
    shell: string({ description: 'bash, zsh or fish.', required: true, options: [...SHELLS] }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { shell } = this.args;
    if (!isShell(shell))
      throw usageError(`there is no completion for ${shell}`, { code: 'argument_invalid' });
    const script = completionScript(shell, this.config.commands);
    return { kind: Completion.kind, data: { shell, script }, names: [shell], view: () => [text(script)] };
  }
}
