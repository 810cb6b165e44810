/**
 * What a failed request tells a person, a script and a pipeline. `code` is the fine-grained, stable name;
 * `exit` is the coarse status that a shell sees (docs/cli.md lists both).
 */
export const ExitCode = {
  ok: 0,
  bug: 1,
  usage: 2,
  notReady: 3,
  refused: 4,
  unknown: 5,
  partial: 6,
  unreachable: 7,
} as const;

export type ExitStatus = (typeof ExitCode)[keyof typeof ExitCode];

export interface CapstanErrorOptions {
  readonly code: string;
  readonly exit: ExitStatus;
  /** The command or step that moves the reader forward. */
  readonly next?: string;
  /** Whether the same request may succeed later with nothing else changed. */
  readonly retryable?: boolean;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The only error type that crosses an operation's boundary on purpose; anything else is a bug (exit 1). */
export class CapstanError extends Error {
  readonly code: string;
  readonly exit: ExitStatus;
  readonly next: string | undefined;
  readonly retryable: boolean;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(message: string, options: CapstanErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CapstanError';
    this.code = options.code;
    this.exit = options.exit;
    this.next = options.next;
    this.retryable = options.retryable ?? false;
    this.data = options.data ?? {};
  }
}

type Details = Omit<CapstanErrorOptions, 'exit'>;

/** The request itself is wrong; nothing was tried. */
export const usageError = (message: string, details: Details): CapstanError =>
  new CapstanError(message, { ...details, exit: ExitCode.usage });

/** The request was understood and refused; nothing changed. */
export const refusedError = (message: string, details: Details): CapstanError =>
  new CapstanError(message, { ...details, exit: ExitCode.refused });

/** The request may or may not have taken effect; `next` says how to find out. */
export const unknownError = (message: string, details: Details): CapstanError =>
  new CapstanError(message, { ...details, exit: ExitCode.unknown });

/** Something the request needs can't be reached; nothing was changed by it. */
export const unreachableError = (message: string, details: Details): CapstanError =>
  new CapstanError(message, { retryable: true, ...details, exit: ExitCode.unreachable });

/** Some parts were done and others were not; `data` names both. */
export const partialError = (message: string, details: Details): CapstanError =>
  new CapstanError(message, { ...details, exit: ExitCode.partial });

/** The message of anything thrown, for logs and for wrapping. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ') || error.message;
  return error instanceof Error ? error.message : String(error);
}

/** Marks a branch that the type system proves unreachable. */
export function assertNever(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
