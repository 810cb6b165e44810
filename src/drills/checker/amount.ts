/**
 * Cents: a plain number while it is exact, a bigint beyond 2^53. Each value has one form, so that `===` and `<` work
 * between any two. Nearly all amounts are small, and bigints would cost most of the checker's time.
 */
export type Amount = number | bigint;

const canonical = (value: bigint): Amount => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
};

/** Reads validated decimal text of at most two places. */
export function amountOf(text: string): Amount {
  const dot = text.indexOf('.');
  const digits = dot < 0 ? `${text}00` : text.slice(0, dot) + text.slice(dot + 1).padEnd(2, '0');
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number + 0 : canonical(BigInt(digits));
}

export function amountText(amount: Amount): string {
  const isNegative = amount < 0;
  const digits = String(isNegative ? -amount : amount).padStart(3, '0');
  return `${isNegative ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

export function plus(a: Amount, b: Amount): Amount {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return canonical(BigInt(a) + BigInt(b));
}

export const minus = (a: Amount, b: Amount): Amount => plus(a, -b);
