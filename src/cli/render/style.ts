import { styleText } from 'node:util';

export type Tone = 'good' | 'bad' | 'warn' | 'dim' | 'strong';

const FORMAT = { good: 'green', bad: 'red', warn: 'yellow', dim: 'dim', strong: 'bold' } as const;

/** Colour is an addition: the text alone says everything (docs/cli.md). */
export interface Style {
  readonly color: boolean;
  (tone: Tone, text: string): string;
}

export function createStyle(color: boolean): Style {
  const apply = (tone: Tone, text: string) =>
    color ? styleText(FORMAT[tone], text, { validateStream: false }) : text;
  return Object.assign(apply, { color });
}

/** NO_COLOR, TERM=dumb, `--no-color` and a stream that isn't a terminal all mean plain text. */
export function wantsColor(options: {
  readonly isTerminal: boolean;
  readonly noColorFlag: boolean;
  readonly env: NodeJS.ProcessEnv;
}): boolean {
  if (options.noColorFlag || !options.isTerminal) return false;
  if (options.env['NO_COLOR'] !== undefined && options.env['NO_COLOR'] !== '') return false;
  return options.env['TERM'] !== 'dumb';
}

const GOOD = /^(open|ok|pass|yes|leading|following|serving|advertised|done|confirmed|ready|reachable)$/;
const BAD = /^(fail|failed|down|quarantined|lost|unreachable|not ready)$/;
const WARN =
  /^(unknown|degraded|fenced|withdrawn|skipped|running|promoting|bootstrap|sealed|frozen|stopped)$/;

/** The tone of a state word in a table cell; undefined for anything that is not one. */
export function toneOf(word: string): Tone | undefined {
  if (GOOD.test(word)) return 'good';
  if (BAD.test(word)) return 'bad';
  return WARN.test(word) ? 'warn' : undefined;
}
