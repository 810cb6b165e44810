import { parseCommitToken } from '../../domain/commit-token.ts';
import { type CapstanError, usageError } from '../../domain/errors.ts';

export type Row = Readonly<Record<string, unknown>>;

const DECIMAL = /^-?(0|[1-9]\d{0,18})(\.\d{1,2})?$/;
const WHOLE = /^(0|[1-9]\d{0,15})$/;

/** `what` says which field of the line is wrong, and how; `fix` what would be right. */
export const historyInvalid = (line: number, what: string, fix: string): CapstanError =>
  usageError(`line ${line} of the history ${what}`, { code: 'history_invalid', next: fix, data: { line } });

function wrong(line: number, field: string, value: unknown, fix: string): CapstanError {
  const shown = value === undefined ? 'is missing' : `is ${(JSON.stringify(value) ?? '').slice(0, 80)}`;
  return historyInvalid(line, `has a wrong field: ${field} ${shown}`, `${field} must be ${fix}`);
}

export function readText(row: Row, field: string, line: number): string {
  const value = row[field];
  if (typeof value === 'string' && value !== '') return value;
  if (typeof value === 'number') return String(value);
  throw wrong(line, field, value, 'text that is not empty');
}

export function readOptionalText(row: Row, field: string, line: number): string | null {
  const value = row[field];
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return null;
  if (typeof value === 'number') return String(value);
  throw wrong(line, field, value, 'text or null');
}

export function readNumber(row: Row, field: string, line: number): number {
  const value = row[field];
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw wrong(line, field, value, 'a number');
}

export function readOptionalNumber(row: Row, field: string, line: number): number | null {
  const value = row[field];
  return value === undefined || value === null ? null : readNumber(row, field, line);
}

export function readWhole(row: Row, field: string, line: number): number {
  const value = row[field];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw wrong(line, field, value, 'a whole number from 0 on');
}

export function readOptionalWhole(row: Row, field: string, line: number): number | null {
  const value = row[field];
  return value === undefined || value === null ? null : readWhole(row, field, line);
}

/** Decimal text of at most two places; a JSON number is taken in its shortest form. */
export function readAmount(row: Row, field: string, line: number): string | null {
  const value = row[field];
  if (value === undefined || value === null) return null;
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text === 'string' && DECIMAL.test(text)) return text;
  throw wrong(line, field, value, 'an amount: decimal text of at most two places, or null');
}

export function readPosition(row: Row, field: string, line: number): string {
  const value = row[field];
  const text = typeof value === 'number' ? String(value) : value;
  // Up to 2^53: no log gets there in a century, and positions stay plain numbers in the checker.
  if (typeof text === 'string' && WHOLE.test(text) && Number(text) <= Number.MAX_SAFE_INTEGER) return text;
  throw wrong(line, field, value, 'a position: a whole number as text, below 2^53');
}

export function readOptionalPosition(row: Row, field: string, line: number): string | null {
  const value = row[field];
  return value === undefined || value === null ? null : readPosition(row, field, line);
}

export function readCommitToken(row: Row, field: string, line: number): string | null {
  const text = readOptionalText(row, field, line);
  if (text === null) return null;
  try {
    if (parseCommitToken(text).position <= Number.MAX_SAFE_INTEGER) return text;
  } catch {
    // Said below, in the words of this file.
  }
  throw wrong(line, field, text, 'a commit token such as shard184@982441~7.3, or null');
}

export function readOneOf<const T extends string>(
  row: Row,
  field: string,
  { line, allowed }: { readonly line: number; readonly allowed: readonly T[] },
): T {
  const value = row[field];
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  throw wrong(line, field, value, `one of ${allowed.join(', ')}`);
}

export function readObject(value: unknown, field: string, line: number): Row {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Row;
  throw wrong(line, field, value, 'an object');
}
