/**
 * Ctrl-C and SIGTERM. The first one aborts `signal`, so that the operation stops at its next safe step; the second
 * one settles `forced`, and the process ends at once. One a process: signals are process-wide.
 */
export interface Interruption {
  readonly signal: AbortSignal;
  /** The status that an interrupted run ends with, once a signal came. */
  status(): 130 | 143 | undefined;
  /** Settles at the second signal, with the status to exit with. */
  readonly forced: Promise<130 | 143>;
  /** Counts as a first Ctrl-C: a prompt reads the keyboard raw, so that no signal comes. */
  interrupt(): void;
  release(): void;
}

const STATUS = { SIGINT: 130, SIGTERM: 143 } as const;

let current: Interruption | undefined;

/** The process's interruption, watched from the first call on. */
export function interruption(): Interruption {
  current ??= watchSignals();
  return current;
}

function watchSignals(): Interruption {
  const controller = new AbortController();
  const forced = Promise.withResolvers<130 | 143>();
  let status: 130 | 143 | undefined;
  const onSignal = (name: NodeJS.Signals) => {
    const code = name === 'SIGTERM' ? STATUS.SIGTERM : STATUS.SIGINT;
    if (status !== undefined) {
      forced.resolve(code);
      return;
    }
    status = code;
    if (process.stderr.isTTY)
      process.stderr.write('\nstopping at the next safe step; once more to exit at once\n');
    controller.abort(new Error(`interrupted by ${name}`));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    status: () => status,
    forced: forced.promise,
    interrupt: () => {
      status ??= STATUS.SIGINT;
      controller.abort(new Error('interrupted at a question'));
    },
    release: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
      current = undefined;
    },
  };
}
