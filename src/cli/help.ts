import { CommandHelp, Help } from '@oclif/core/help';
import type { Command } from '@oclif/core/command';
import type { Config } from '@oclif/core/config';
import { ERROR_CATALOG, isErrorCode } from './error-catalog.ts';
import { unknownCommand } from './command-line.ts';
import { EXIT_MEANINGS, type ProcessStatus } from './exit-codes.ts';
import { envelopeOf } from './envelope.ts';
import { renderJson } from './render/machine.ts';

/** Help for a command, a noun or the whole tool; for machines the same facts as one document of kind `Help`. */
export async function showHelp(options: {
  readonly config: Config;
  readonly words: readonly string[];
  readonly machine: boolean;
}): Promise<ProcessStatus> {
  const { config, words, machine } = options;
  const id = words.join(':');
  const ids = config.commandIDs;
  if (id !== '' && !ids.includes(id) && !ids.some((other) => other.startsWith(`${id}:`))) {
    throw unknownCommand(words, ids);
  }
  if (machine) {
    process.stdout.write(renderJson(envelopeOf({ kind: 'Help', data: helpData(config, id) })));
    return 0;
  }
  await new CapstanHelp(config, { flagSortOrder: 'none' }).showHelp(
    id === '' ? [] : [id.replaceAll(':', ' ')],
  );
  if (id === '') process.stdout.write(`${exitSummary()}\n`);
  return 0;
}

function helpData(config: Config, id: string): unknown {
  const commands = config.commands.filter(
    (command) => id === '' || command.id === id || command.id.startsWith(`${id}:`),
  );
  return {
    commands: commands.map((command) => ({
      command: command.id.replaceAll(':', ' '),
      summary: command.summary ?? null,
      arguments: Object.values(command.args).map(({ name, required, description }) => ({
        name,
        required: required === true,
        description: description ?? null,
      })),
      flags: Object.values(command.flags).map(({ name, char, type, summary }) => ({
        name,
        char: char ?? null,
        type,
        summary: summary ?? null,
      })),
      examples: command.examples ?? [],
      errors: errorsOf(command).map((code) => ({ code, exit: ERROR_CATALOG[code].exit })),
    })),
  };
}

const errorsOf = (command: Record<string, unknown>) =>
  (Array.isArray(command['errors']) ? command['errors'] : []).filter(isErrorCode);

const exitSummary = () =>
  `EXIT STATUS\n${Object.entries(EXIT_MEANINGS)
    .map(([status, meaning]) => `  ${status.padStart(3)}  ${meaning}`)
    .join('\n')}\n`;

class CapstanCommandHelp extends CommandHelp {
  protected override sections() {
    return [
      ...super.sections(),
      { header: 'EXIT STATUS', generate: ({ cmd }: { cmd: Command.Loadable }) => exitSection(cmd) },
    ];
  }
}

class CapstanHelp extends Help {
  protected override CommandHelpClass = CapstanCommandHelp;

  override async showHelp(argv: string[]): Promise<void> {
    const id = argv[0]?.replaceAll(' ', ':');
    const command = id === undefined ? undefined : this.config.findCommand(id);
    if (command !== undefined) return this.showCommandHelp(command);
    const topic = id === undefined ? undefined : this.config.findTopic(id);
    return topic === undefined ? this.showRootHelp() : this.showTopicHelp(topic);
  }
}

function exitSection(command: Command.Loadable): string {
  const rows = errorsOf(command).map((code) => {
    const { exit, when } = ERROR_CATALOG[code];
    return { exit, line: `${exit}  ${code}: ${when}` };
  });
  const lines = rows.toSorted((a, b) => a.exit - b.exit).map(({ line }) => line);
  return ['0  ok', ...lines, '1, 2, 130, 143 as for every command: capstan --help'].join('\n');
}
