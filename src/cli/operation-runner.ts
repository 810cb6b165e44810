import { spawn } from 'node:child_process';
import type { OperationProgress } from '../controlplane/operation/run.ts';
import { formatDurationMs } from '../domain/duration.ts';
import { CapstanError, messageOf, unknownError } from '../domain/errors.ts';
import { Progress } from './progress.ts';

export interface Watching {
  readonly onProgress: (progress: OperationProgress) => void;
  /** Aborted by Ctrl-C, at the time-out, and once the fence stands when nobody waits for more. */
  readonly signal: AbortSignal;
}

export interface WatchOptions {
  readonly subject: string;
  readonly timeoutMs: number | undefined;
  /** False: let go as soon as the operation exists. */
  readonly wait: boolean;
  readonly noColor: boolean;
  readonly interrupted: AbortSignal;
}

export type Watched<T> =
  | { readonly kind: 'finished'; readonly result: T }
  | { readonly kind: 'left'; readonly operation: string };

/**
 * Runs an operation with its progress on stderr. When the time is up it lets go at the next safe step and throws
 * `operation_timed_out` (exit 5), which names the operation, its step and the command that goes on. Without `wait` it
 * lets go once the operation exists, and a background process goes on with it. Whatever else stops an operation that
 * exists is thrown with its id: as it is when its data names the operation, else as `operation_stopped` (exit 5).
 */
export async function watchOperation<T>(
  options: WatchOptions,
  run: (watching: Watching) => Promise<T>,
): Promise<Watched<T>> {
  const { subject, timeoutMs, wait, noColor, interrupted } = options;
  const progress = new Progress({ subject, noColor });
  const letGo = new AbortController();
  const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  let last: OperationProgress | undefined;
  try {
    const result = await run({
      signal: AbortSignal.any([interrupted, letGo.signal, ...(timeout === undefined ? [] : [timeout])]),
      onProgress: (event) => {
        last = event;
        progress.expect(event.left);
        const { name, detail } = lineOf(event);
        progress.step(name, event.state === 'finished' ? 'done' : 'running', detail);
        if (!wait) letGo.abort();
      },
    });
    return { kind: 'finished', result };
  } catch (error) {
    if (last !== undefined) {
      const { name, detail } = lineOf(last);
      progress.step(name, last.state === 'finished' ? 'done' : 'failed', detail);
    }
    const stopped = error instanceof CapstanError && error.code === 'operation_interrupted';
    if (last === undefined || (stopped && interrupted.aborted)) throw error;
    if (!stopped) throw namesOperation(error) ? error : stoppedBy(error, last);
    if (letGo.signal.aborted) return { kind: 'left', operation: last.operation };
    throw timedOut(error, last, timeoutMs ?? 0);
  } finally {
    progress.close();
  }
}

/** A stream of a rebalance has a line of its own: they go on side by side. */
function lineOf({ step, stream, detail }: OperationProgress): {
  readonly name: string;
  readonly detail: string | undefined;
} {
  if (stream === undefined) return { name: step, detail: detail ?? undefined };
  const name = `stream ${stream.stream}`;
  return {
    name,
    detail: detail?.startsWith(`${name} `) === true ? detail.slice(name.length + 1) : (detail ?? undefined),
  };
}

const namesOperation = (error: unknown): boolean =>
  error instanceof CapstanError && typeof error.data['operation'] === 'string';

function stoppedBy(error: unknown, last: OperationProgress): CapstanError {
  return unknownError(`operation ${last.operation} stopped in step ${last.step}: ${messageOf(error)}`, {
    code: 'operation_stopped',
    next: `capstan operation resume ${last.operation}`,
    data: {
      ...(error instanceof CapstanError ? { ...error.data, code: error.code } : {}),
      operation: last.operation,
      step: last.step,
    },
    cause: error,
  });
}

function timedOut(error: CapstanError, last: OperationProgress, timeoutMs: number): CapstanError {
  return unknownError(
    `operation ${last.operation} is not finished after ${formatDurationMs(timeoutMs)}; its last step is ${last.step}`,
    {
      code: 'operation_timed_out',
      next: `capstan operation resume ${last.operation}`,
      data: { ...error.data, operation: last.operation, step: last.step },
      cause: error,
    },
  );
}

/** Goes on with an operation in a process of its own, which outlives this one. The journal shows how it gets on. */
export function resumeInBackground(operation: string, config: string): void {
  const [, script] = process.argv;
  if (script === undefined) throw new Error('the command line does not know its own program');
  spawn(
    process.execPath,
    [script, 'operation', 'resume', operation, '--config', config, '--no-input', '--json'],
    {
      detached: true,
      stdio: 'ignore',
    },
  ).unref();
}
