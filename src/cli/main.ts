import { Config } from '@oclif/core/config';
import { settings } from '@oclif/core/settings';
import type { Interfaces } from '@oclif/core';
import { ExitCode, type CapstanError } from '../domain/errors.ts';
import { findCommand, incompleteCommand, unknownCommand } from './command-line.ts';
import type { ProcessStatus } from './exit-codes.ts';
import { failureOf, interruptedError } from './failure.ts';
import { interruption } from './interruption.ts';
import { formatOf, isMachine } from './output-format.ts';
import { Output } from './output.ts';
import { TOPICS } from './topics.ts';

export interface MainOptions {
  readonly argv: readonly string[];
  /** The package's folder. */
  readonly root: string;
  readonly pjson: Interfaces.PJSON;
  /** Commands are TypeScript files (bin/dev.js): no manifest. */
  readonly fromSource?: boolean;
}

/**
 * Runs one command line and resolves with the exit status; bin/ alone ends the process. Never rejects: what goes wrong
 * before a command takes over is answered in the caller's format too.
 */
export async function main(options: MainOptions): Promise<ProcessStatus> {
  const interrupt = interruption();
  try {
    return await Promise.race([
      run(options),
      interrupt.forced.then(async (code) => {
        if (isMachine(formatOf(options.argv)))
          await answer(options, interruptedError(interrupt.signal.reason), code);
        return code;
      }),
    ]);
  } catch (error) {
    const failure = failureOf(error);
    const code = interrupt.status() ?? failure.exit;
    await answer(options, failure, code);
    return code;
  } finally {
    interrupt.release();
  }
}

async function run({ argv, root, pjson, fromSource = false }: MainOptions): Promise<ProcessStatus> {
  settings.enableAutoTranspile = false;
  const config = await Config.load({
    root,
    pjson: { ...pjson, oclif: { ...pjson.oclif, topics: TOPICS } },
    ignoreManifest: fromSource,
  });
  const found = findCommand(argv, config.commandIDs);
  if (found.kind === 'help' || (found.kind === 'topic' && !isMachine(formatOf(argv)))) {
    const { showHelp } = await import('./help.ts');
    return showHelp({ config, words: found.words, machine: isMachine(formatOf(argv)) });
  }
  if (found.kind === 'topic') throw incompleteCommand(found.words, config.commandIDs);
  if (found.kind === 'unknown') throw unknownCommand(found.words, config.commandIDs);
  const command = config.findCommand(found.id, { must: true });
  return config.runCommand<ProcessStatus>(found.id, found.rest, command);
}

async function answer({ argv }: MainOptions, failure: CapstanError, status: ProcessStatus): Promise<void> {
  const output = new Output({
    format: formatOf(argv),
    noColor: argv.includes('--no-color'),
    debug: argv.includes('--debug'),
    streaming: argv.includes('--watch') || argv.includes('-w'),
  });
  await output.failure(failure, { kind: failure.exit === ExitCode.usage ? 'Usage' : 'Result', status });
}
