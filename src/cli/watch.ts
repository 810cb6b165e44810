import { setTimeout as delay } from 'node:timers/promises';
import { ExitCode } from '../domain/errors.ts';
import type { ProcessStatus } from './exit-codes.ts';
import { failureOf } from './failure.ts';
import type { Output } from './output.ts';
import type { CommandResult } from './result.ts';

const CLEAR = '\u001B[2J\u001B[H';

/**
 * `--watch`: one result a turn until a signal. A dependency that is away for a while is shown and does not end the
 * watch; wrong usage does. Ends with 0 when the reader stops it: a watch has no other end.
 */
export async function watchLoop(options: {
  readonly output: Output;
  readonly kind: string;
  readonly intervalMs: number;
  readonly signal: AbortSignal;
  readonly once: () => Promise<CommandResult>;
}): Promise<ProcessStatus> {
  const { output, kind, intervalMs, once } = options;
  // Nobody reads any more (`| head`): as good as a Ctrl-C.
  const unread = new AbortController();
  process.stdout.once('error', () => unread.abort());
  const signal = AbortSignal.any([options.signal, unread.signal]);
  const redraw = process.stdout.isTTY && !output.machine;
  while (!signal.aborted) {
    try {
      const result = await once();
      if (redraw) output.raw(CLEAR);
      await output.result(result, result.error?.exit ?? ExitCode.ok);
    } catch (error) {
      if (signal.aborted) break;
      const failure = failureOf(error);
      if (redraw) output.raw(CLEAR);
      await output.failure(failure, { kind, status: failure.exit });
      if (!failure.retryable) return failure.exit;
    }
    if (!redraw && !output.machine) output.raw('\n');
    await delay(intervalMs, undefined, { signal }).catch(() => undefined);
  }
  return ExitCode.ok;
}
