import type { CapstanError } from '../domain/errors.ts';
import { redact } from './redact.ts';

export const API_VERSION = 'capstan.dev/v1';

export interface EnvelopeError {
  readonly code: string;
  readonly message: string;
  readonly exit: number;
  readonly retryable: boolean;
  readonly next: string | null;
  readonly data: unknown;
  readonly stack: string | null;
}

/** The one document that every command writes with `-o json` or `-o yaml`, whatever happened. */
export interface Envelope {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: string;
  readonly ok: boolean;
  readonly data: unknown;
  readonly warnings: readonly string[];
  readonly error: EnvelopeError | null;
}

export interface EnvelopeInput {
  readonly kind: string;
  readonly data: unknown;
  readonly warnings?: readonly string[];
  readonly error?: EnvelopeError | null;
}

/** Builds an envelope of plain JSON values: bigints as strings, dates in ISO 8601, no key left out. */
export function envelopeOf({ kind, data, warnings = [], error = null }: EnvelopeInput): Envelope {
  return {
    apiVersion: API_VERSION,
    kind,
    ok: error === null,
    data: plain(data),
    warnings: warnings.map(redact),
    error: error === null ? null : { ...error, data: plain(error.data) },
  };
}

/** The error's part of an envelope. The stack goes in only on request, and no secret at all. */
export function envelopeError(
  error: CapstanError,
  { exit, debug }: { readonly exit: number; readonly debug: boolean },
): EnvelopeError {
  return {
    code: error.code,
    message: redact(error.message),
    exit,
    retryable: error.retryable,
    next: error.next === undefined ? null : redact(error.next),
    data: error.data,
    stack: debug && error.stack !== undefined ? redact(stackWithCauses(error)) : null,
  };
}

/** The stack of an error and of what caused it, for `--debug`. */
export function stackWithCauses(error: Error): string {
  const lines: string[] = [];
  let current: unknown = error;
  for (let depth = 0; current instanceof Error && depth < 5; depth += 1) {
    lines.push(`${depth === 0 ? '' : 'caused by '}${current.stack ?? current.message}`);
    current = current.cause;
  }
  return lines.join('\n');
}

function plain(value: unknown): unknown {
  if (value === undefined) return null;
  return JSON.parse(
    JSON.stringify(value, (_key, item: unknown) => {
      if (typeof item === 'bigint') return item.toString();
      if (item === undefined) return null;
      if (item instanceof Map) return Object.fromEntries(item);
      if (item instanceof Set) return [...item];
      return item;
    }),
  );
}
