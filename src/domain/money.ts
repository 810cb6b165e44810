/** Amounts are whole cents in a bigint everywhere inside; decimals exist only at the edges. */
export type Cents = bigint;

/** The largest limit or notional: 10^15, exact to the cent. */
export const AMOUNT_MAX_CENTS: Cents = 10n ** 17n;

const DECIMAL = /^(0|[1-9]\d{0,15})(?:\.(\d{1,2}))?$/;

/**
 * Reads a decimal amount with at most two places, as text or as a JSON number. Returns undefined for anything else:
 * signs, exponents, more places, or more than 10^15. A JSON number is read through its shortest decimal form, which is
 * exact up to 2^53 cents; larger amounts must be sent as text, and numbers beyond that are refused rather than rounded.
 */
export function parseAmount(input: unknown): Cents | undefined {
  if (
    typeof input === 'number' &&
    (!Number.isFinite(input) || Math.abs(input) * 100 > Number.MAX_SAFE_INTEGER)
  ) {
    return undefined;
  }
  if (typeof input !== 'number' && typeof input !== 'string') return undefined;
  const match = DECIMAL.exec(String(input));
  if (match === null) return undefined;
  const [, whole = '0', fraction = ''] = match;
  const cents = BigInt(whole) * 100n + BigInt(fraction.padEnd(2, '0'));
  return cents <= AMOUNT_MAX_CENTS ? cents : undefined;
}

/** `150n` -> `"1.50"`; always two places, so that equal amounts have equal spellings. */
export function formatAmount(cents: Cents): string {
  const sign = cents < 0n ? '-' : '';
  const absolute = cents < 0n ? -cents : cents;
  return `${sign}${absolute / 100n}.${String(absolute % 100n).padStart(2, '0')}`;
}
