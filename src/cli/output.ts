import { envelopeError, envelopeOf, stackWithCauses, type EnvelopeError } from './envelope.ts';
import type { CapstanError } from '../domain/errors.ts';
import { isMachine, type OutputFormat } from './output-format.ts';
import { redact } from './redact.ts';
import { renderJson, renderJsonLine, renderYaml } from './render/machine.ts';
import { createStyle, wantsColor, type Style } from './render/style.ts';
import { renderSections } from './render/table.ts';
import type { CommandResult } from './result.ts';

export interface OutputOptions {
  readonly format: OutputFormat;
  readonly noColor: boolean;
  readonly debug: boolean;
  /** Several documents will follow each other (`--watch`). */
  readonly streaming?: boolean;
}

/**
 * The only writer of a command's result: data on stdout, everything else on stderr. For machines it writes exactly one
 * document, so a second result after the first is dropped (a late failure still shows in the exit status).
 */
export class Output {
  readonly #options: OutputOptions;
  readonly #out: Style;
  readonly #err: Style;
  #documents = 0;

  constructor(options: OutputOptions) {
    this.#options = options;
    const { noColor } = options;
    this.#out = createStyle(
      wantsColor({ isTerminal: process.stdout.isTTY, noColorFlag: noColor, env: process.env }),
    );
    this.#err = createStyle(
      wantsColor({ isTerminal: process.stderr.isTTY, noColorFlag: noColor, env: process.env }),
    );
  }

  get machine(): boolean {
    return isMachine(this.#options.format);
  }

  get wrote(): boolean {
    return this.#documents > 0;
  }

  /** A line for people on stderr: a plan, a notice. Machines and terminals may both show it; stdout stays clean. */
  note(line: string): void {
    process.stderr.write(`${redact(line)}\n`);
  }

  /** Sections for people on stderr: a plan before its confirmation. */
  async preview(sections: Parameters<typeof renderSections>[0]): Promise<void> {
    const text = await renderSections(sections, {
      wide: false,
      columns: process.stderr.isTTY ? process.stderr.columns : undefined,
      style: this.#err,
    });
    process.stderr.write(`${text}\n`);
  }

  /** Text on stderr that another tool reads there. */
  aside(text: string): void {
    process.stderr.write(redact(text));
  }

  /** Text that is exactly as a file or another tool wants it (a completion script, an environment). */
  raw(text: string): void {
    process.stdout.write(text);
  }

  async result(result: CommandResult, status: number): Promise<void> {
    const { format, debug } = this.#options;
    const warnings = result.warnings ?? [];
    const error = result.error === undefined ? null : envelopeError(result.error, { exit: status, debug });
    if (isMachine(format)) {
      await this.#document({ kind: result.kind, data: result.data, warnings, error });
      return;
    }
    for (const warning of warnings) this.note(`${this.#err('warn', 'warning:')} ${warning}`);
    if (format === 'name') {
      for (const name of result.names ?? []) process.stdout.write(`${name}\n`);
    } else {
      const wide = format === 'wide';
      process.stdout.write(
        await renderSections(result.view({ wide }), {
          wide,
          columns: process.stdout.isTTY ? process.stdout.columns : undefined,
          style: this.#out,
        }),
      );
    }
    this.#documents += 1;
    if (result.error !== undefined) this.#explain(result.error);
  }

  async failure(error: CapstanError, { kind, status }: { kind: string; status: number }): Promise<void> {
    const { debug } = this.#options;
    if (this.machine) {
      await this.#document({
        kind,
        data: null,
        warnings: [],
        error: envelopeError(error, { exit: status, debug }),
      });
      return;
    }
    this.#documents += 1;
    this.#explain(error);
  }

  #explain(error: CapstanError): void {
    const first = `${this.#err('bad', 'error:')} ${redact(error.message)} ${this.#err('dim', `(${error.code})`)}`;
    process.stderr.write(`${first}\n`);
    if (error.next !== undefined)
      process.stderr.write(`${this.#err('strong', 'next:')} ${redact(error.next)}\n`);
    if (this.#options.debug) process.stderr.write(`${redact(stackWithCauses(error))}\n`);
  }

  async #document(input: {
    kind: string;
    data: unknown;
    warnings: readonly string[];
    error: EnvelopeError | null;
  }): Promise<void> {
    const streaming = this.#options.streaming === true;
    if (this.#documents > 0 && !streaming) return;
    this.#documents += 1;
    const envelope = envelopeOf(input);
    if (this.#options.format === 'yaml') process.stdout.write(await renderYaml(envelope, streaming));
    else process.stdout.write(streaming ? renderJsonLine(envelope) : renderJson(envelope));
  }
}
