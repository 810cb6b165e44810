import { createHash } from 'node:crypto';

/** JSON with sorted keys: equal values have equal texts. Undefined properties are left out, as in JSON.stringify. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value));
}

/** The first `digits` hex digits of the SHA-256 of the value's canonical JSON. */
export function canonicalHash(value: unknown, digits = 16): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, digits);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
