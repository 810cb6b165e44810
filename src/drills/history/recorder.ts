import { closeSync, openSync, writeSync } from 'node:fs';
import { CapstanError, ExitCode, messageOf } from '../../domain/errors.ts';
import type { HistoryEntry, HistoryRecorder } from './types.ts';

const BUFFER_CHARACTERS_MAX = 256 * 1024;

/**
 * Writes a history to a file, in the order in which lines are handed over. What is not written yet is bounded: a full
 * buffer is written at once, by the caller's own thread, so that no line can overtake another or be dropped. Throws
 * CapstanError `history_unwritable`.
 */
export class FileRecorder implements HistoryRecorder {
  readonly file: string;
  readonly #clock: () => number;
  readonly #began: number;
  #descriptor: number | undefined;
  #buffer: string[] = [];
  #characters = 0;
  #lines = 0;

  constructor(file: string, options: { readonly clock?: () => number } = {}) {
    this.file = file;
    this.#clock = options.clock ?? (() => performance.now());
    this.#began = this.#clock();
    this.#descriptor = attempt(file, () => openSync(file, 'w', 0o600));
  }

  /** How many lines were recorded. */
  get lines(): number {
    return this.#lines;
  }

  now(): number {
    // Microseconds: finer digits are noise, and would be half of the file.
    return Math.round((this.#clock() - this.#began) * 1_000) / 1_000;
  }

  record(entry: HistoryEntry): void {
    if (this.#descriptor === undefined) throw unwritable(this.file, 'the recorder is closed');
    this.#lines += 1;
    const text = `${JSON.stringify({ i: this.#lines, t: this.now(), ...entry })}\n`;
    this.#buffer.push(text);
    this.#characters += text.length;
    if (this.#characters >= BUFFER_CHARACTERS_MAX) this.flush();
  }

  /** Hands over to the operating system what is still in the buffer. */
  flush(): void {
    const descriptor = this.#descriptor;
    if (descriptor === undefined || this.#buffer.length === 0) return;
    const bytes = Buffer.from(this.#buffer.join(''), 'utf8');
    this.#buffer = [];
    this.#characters = 0;
    attempt(this.file, () => {
      for (let from = 0; from < bytes.length; from += writeSync(descriptor, bytes, from));
    });
  }

  /** Writes the rest and closes the file; a second time it does nothing. */
  close(): void {
    const descriptor = this.#descriptor;
    if (descriptor === undefined) return;
    try {
      this.flush();
    } finally {
      this.#descriptor = undefined;
      closeSync(descriptor);
    }
  }
}

function attempt<T>(file: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw unwritable(file, messageOf(error), error);
  }
}

const unwritable = (file: string, why: string, cause?: unknown): CapstanError =>
  new CapstanError(`the history ${file} can't be written: ${why}`, {
    code: 'history_unwritable',
    exit: ExitCode.usage,
    next: 'make room, or choose another folder',
    cause,
  });
