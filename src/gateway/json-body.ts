import { ProblemError } from './problem.ts';

/** Only literals this long can lose digits in a double; shorter bodies skip the second, slower parse. */
const LONG_NUMBER = /\d[\d.]{15,}/;

type Reviver = (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown;

/**
 * Parses a JSON object. A number whose digits a double can't hold becomes NaN, so that the field's own check refuses it
 * by name instead of a rounded amount passing unseen.
 */
export function parseJsonBody(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = LONG_NUMBER.test(text) ? JSON.parse(text, keepExact as never) : JSON.parse(text);
  } catch {
    throw new ProblemError('body_invalid', { detail: 'the body is not valid JSON' });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ProblemError('body_invalid', { detail: 'the body must be a JSON object' });
  }
  return value as Readonly<Record<string, unknown>>;
}

/** The parsed body; throws ProblemError `body_invalid` when the request had none. */
export function bodyOf({ body }: { readonly body: unknown }): Readonly<Record<string, unknown>> {
  if (body === undefined || body === null) {
    throw new ProblemError('body_invalid', { detail: 'the body is missing: send a JSON object' });
  }
  return body as Readonly<Record<string, unknown>>;
}

const keepExact: Reviver = (_key, value, { source }) => {
  if (typeof value !== 'number' || source === undefined) return value;
  return significantDigits(source) === significantDigits(String(value)) ? value : Number.NaN;
};

/** The digits that carry value: without sign, point, exponent and padding zeros. */
const significantDigits = (literal: string): string =>
  literal
    .replace(/[eE].*$/, '')
    .replace(/[-+.]/g, '')
    .replace(/^0+/, '')
    .replace(/0+$/, '');
