import { createReadStream } from 'node:fs';
import { TextDecoder } from 'node:util';
import { messageOf, usageError } from '../../domain/errors.ts';
import { historyInvalid } from './fields.ts';
import { parseHistoryLine } from './parse-line.ts';
import type { HistoryLine } from './types.ts';

/** A line of this length is no history's, and would be held in memory whole. */
const LINE_CHARACTERS_MAX = 64 * 1024 * 1024;

/**
 * Reads JSON Lines and hands each line over in order. Only the line at hand is kept. Unknown fields are dropped, missing
 * optional ones are null. Throws CapstanError `history_invalid` that names the line, the field and the fix, or
 * `history_unreadable` when the source fails.
 */
export async function readHistory(
  source: AsyncIterable<Uint8Array | string>,
  take: (line: HistoryLine) => void,
): Promise<void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  let number = 0;
  let before: HistoryLine | undefined;
  const line = (text: string): void => {
    number += 1;
    if (text.length === 0 || text.trim() === '') return;
    const parsed = parseHistoryLine(text, number);
    demandOrder(before, parsed, number);
    before = parsed;
    take(parsed);
  };
  for await (const chunk of readable(source)) {
    const text = rest + decoded(decoder, chunk, number + 1);
    let from = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      line(text.slice(from, end));
      from = end + 1;
    }
    rest = text.slice(from);
    if (rest.length > LINE_CHARACTERS_MAX) {
      throw historyInvalid(
        number + 1,
        `is longer than ${LINE_CHARACTERS_MAX} characters`,
        'one object a line',
      );
    }
  }
  line(rest + decoded(decoder, undefined, number + 1));
}

/** The same from a file. */
export async function readHistoryFile(file: string, take: (line: HistoryLine) => void): Promise<void> {
  await readHistory(createReadStream(file, { highWaterMark: 1 << 20 }), take);
}

async function* readable(source: AsyncIterable<Uint8Array | string>): AsyncGenerator<Uint8Array | string> {
  try {
    yield* source;
  } catch (error) {
    throw usageError(`the history can't be read: ${messageOf(error)}`, {
      code: 'history_unreadable',
      next: 'name a file of JSON Lines, or - for stdin',
      cause: error,
    });
  }
}

function decoded(decoder: TextDecoder, chunk: Uint8Array | string | undefined, number: number): string {
  if (typeof chunk === 'string') return chunk;
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
  } catch {
    throw historyInvalid(
      number,
      'or one soon after it is not UTF-8',
      'write the history as UTF-8 JSON Lines',
    );
  }
}

function demandOrder(before: HistoryLine | undefined, line: HistoryLine, number: number): void {
  if (before === undefined) return;
  if (line.i <= before.i) {
    throw historyInvalid(number, `i: ${line.i} does not rise after ${before.i}`, 'sort the lines by i');
  }
  if (line.t < before.t) {
    throw historyInvalid(
      number,
      `t: ${line.t} falls after ${before.t}`,
      'time all lines by one monotonic clock',
    );
  }
}
