import { formatDurationMs } from '../domain/duration.ts';
import { redact } from './redact.ts';
import { createStyle, wantsColor, type Style } from './render/style.ts';

export type StepState = 'running' | 'done' | 'failed';

interface StepLine {
  readonly name: string;
  state: StepState | 'waiting';
  startedAtMs: number | undefined;
  endedAtMs: number | undefined;
  detail: string | undefined;
}

const MARK = { waiting: ' ', running: '>', done: '+', failed: 'x' } as const;
const TONE = { waiting: 'dim', running: 'strong', done: 'good', failed: 'bad' } as const;

/**
 * The steps of a change as they happen, on stderr: a list that is redrawn on a terminal, one timestamped line a
 * transition anywhere else. `close` leaves the last state standing.
 */
export class Progress {
  readonly #subject: string;
  readonly #stream: NodeJS.WriteStream;
  readonly #style: Style;
  readonly #steps = new Map<string, StepLine>();
  #drawn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: {
    /** What is being changed, such as `failover c1`. */
    readonly subject: string;
    readonly steps?: readonly string[];
    readonly noColor?: boolean;
    readonly stream?: NodeJS.WriteStream;
  }) {
    this.#subject = options.subject;
    this.#stream = options.stream ?? process.stderr;
    this.#style = createStyle(
      wantsColor({
        isTerminal: this.#stream.isTTY,
        noColorFlag: options.noColor === true,
        env: process.env,
      }),
    );
    this.expect(options.steps ?? []);
    if (this.#stream.isTTY) this.#timer = setInterval(() => this.#draw(), 250).unref();
  }

  /** Steps that are to come, in their order; those that are known already stay where they are. */
  expect(steps: readonly string[]): void {
    for (const name of steps) this.#line(name);
  }

  /** A step starts, ends, or says more about itself. Repeating a state with the same detail prints nothing. */
  step(name: string, state: StepState, detail?: string): void {
    const line = this.#line(name);
    if (line.state === state && line.detail === detail) return;
    if (line.startedAtMs === undefined || (state === 'running' && line.state !== 'running')) {
      line.startedAtMs = performance.now();
      line.endedAtMs = undefined;
    }
    if (state !== 'running') line.endedAtMs = performance.now();
    line.state = state;
    line.detail = detail;
    if (this.#stream.isTTY) this.#draw();
    else this.#stream.write(`${new Date().toISOString()} ${this.#subject}: ${this.#describe(line)}\n`);
  }

  close(): void {
    clearInterval(this.#timer);
    if (this.#stream.isTTY && this.#steps.size > 0) this.#draw();
  }

  #line(name: string): StepLine {
    const known = this.#steps.get(name);
    if (known !== undefined) return known;
    const line: StepLine = {
      name,
      state: 'waiting',
      startedAtMs: undefined,
      endedAtMs: undefined,
      detail: undefined,
    };
    this.#steps.set(name, line);
    return line;
  }

  #describe(line: StepLine): string {
    const took = this.#took(line);
    return [line.name, line.state, took, line.detail === undefined ? undefined : redact(line.detail)]
      .filter((part) => part !== undefined)
      .join(' ');
  }

  #took({ state, startedAtMs, endedAtMs }: StepLine): string | undefined {
    if (startedAtMs === undefined || (state === 'running' && !this.#stream.isTTY)) return undefined;
    return formatDurationMs((endedAtMs ?? performance.now()) - startedAtMs);
  }

  #draw(): void {
    const up = this.#drawn > 0 ? `\u001B[${this.#drawn}A` : '';
    const width = Math.max(20, (this.#stream.columns || 80) - 1);
    const lines = [...this.#steps.values()].map((line) => {
      const plain = `${MARK[line.state]} ${this.#describe(line)}`.slice(0, width);
      return `\u001B[2K${this.#style(TONE[line.state], plain)}\n`;
    });
    this.#stream.write(up + lines.join(''));
    this.#drawn = lines.length;
  }
}
