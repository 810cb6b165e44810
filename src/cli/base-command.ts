import { Command } from '@oclif/core/command';
import type { Interfaces } from '@oclif/core';
import type { Config } from '@oclif/core/config';
import { ExitCode } from '../domain/errors.ts';
import type { ErrorCode } from './error-catalog.ts';
import type { ProcessStatus } from './exit-codes.ts';
import { failureOf, interruptedError, parserFailure } from './failure.ts';
import { globalFlags } from './global-flags.ts';
import { interruption } from './interruption.ts';
import { formatOf, type OutputFormat } from './output-format.ts';
import { Output } from './output.ts';
import type { CommandResult } from './result.ts';
import { watchLoop } from './watch.ts';

export type FlagsOf<T extends typeof Command> = Interfaces.InferredFlags<
  (typeof CapstanCommand)['baseFlags'] & T['flags']
>;
export type ArgsOf<T extends typeof Command> = Interfaces.InferredArgs<T['args']>;

/**
 * The base of every command. A subclass parses nothing and prints nothing: it reads `this.flags` and `this.args`, calls
 * one operation and returns a `CommandResult`. The base writes exactly one result (rule 4 of docs/cli.md), in success
 * and in failure, and turns errors into exit statuses; `run` resolves with the status and never rejects.
 */
export abstract class CapstanCommand<T extends typeof Command> extends Command {
  static override baseFlags = globalFlags;
  /** The envelope's kind; also for errors before a result exists. */
  static kind = 'Result';
  /** The error codes that a caller of this command can meet; `--help` lists them with their exit statuses. */
  static errors: readonly ErrorCode[] = [];

  declare protected flags: FlagsOf<T>;
  declare protected args: ArgsOf<T>;
  protected output: Output;
  readonly #format: OutputFormat;

  constructor(argv: string[], config: Config) {
    super(argv, config);
    this.#format = formatOf(argv);
    this.output = new Output({
      format: this.#format,
      noColor: argv.includes('--no-color'),
      debug: argv.includes('--debug'),
    });
  }

  /** Aborted at the first Ctrl-C or SIGTERM. Operations stop at their next safe step. */
  protected get signal(): AbortSignal {
    return interruption().signal;
  }

  /** Whether a question may be asked (rule 10); `confirm*` in prompt.ts fail with the missing flag's name otherwise. */
  protected get interactive(): boolean {
    const ci = process.env['CI'];
    return (
      process.stdin.isTTY &&
      process.stderr.isTTY &&
      (ci === undefined || ci === '' || ci === 'false') &&
      !this.output.machine &&
      !this.flags['no-input']
    );
  }

  protected get format(): OutputFormat {
    return this.#format;
  }

  protected abstract execute(): Promise<CommandResult>;

  override async run(): Promise<ProcessStatus> {
    const { kind } = this.constructor as typeof CapstanCommand;
    try {
      await this.#parse();
      const { watch, interval } = this.flags as { watch?: boolean; interval?: number };
      if (watch === true) return await this.#watch(interval ?? 2_000);
      const result = await this.execute();
      const status = result.error?.exit ?? ExitCode.ok;
      await this.output.result(result, status);
      return status;
    } catch (error) {
      const stopped = interruption().status();
      const failure =
        stopped !== undefined && failureOf(error).code === 'bug' ? interruptedError(error) : failureOf(error);
      const status = stopped ?? failure.exit;
      await this.output.failure(failure, { kind, status });
      return status;
    }
  }

  async #parse(): Promise<void> {
    const type = this.constructor as typeof CapstanCommand;
    try {
      const { flags, args } = await this.parse({
        flags: type.flags,
        baseFlags: type.baseFlags,
        args: Object.fromEntries(
          Object.entries(type.args).map(([name, arg]) => [name, { ...arg, ignoreStdin: true }]),
        ),
        strict: type.strict,
      });
      this.flags = withFalse(flags, { ...type.baseFlags, ...type.flags }) as unknown as FlagsOf<T>;
      this.args = args as ArgsOf<T>;
    } catch (error) {
      throw parserFailure(error, this.id ?? '');
    }
  }

  async #watch(intervalMs: number): Promise<ProcessStatus> {
    const { kind } = this.constructor as typeof CapstanCommand;
    const options = {
      format: this.#format,
      noColor: this.flags['no-color'],
      debug: this.flags.debug,
      streaming: true,
    };
    return watchLoop({
      output: new Output(options),
      kind,
      intervalMs,
      signal: this.signal,
      once: () => this.execute(),
    });
  }
}

/** The parser types a boolean flag as a boolean and leaves it out when it isn't given. */
function withFalse(
  flags: Readonly<Record<string, unknown>>,
  definitions: Readonly<Record<string, { readonly type: string }>>,
): Record<string, unknown> {
  const absent = Object.entries(definitions)
    .filter(([name, { type }]) => type === 'boolean' && flags[name] === undefined)
    .map(([name]): [string, boolean] => [name, false]);
  return { ...flags, ...Object.fromEntries(absent) };
}
