import { canonicalEntry, type LogEntry } from '../domain/log-entry.ts';

type Value = string | number | null;

/** The entries of a segment's plain body. Throws where a line isn't the canonical form of an entry. */
export function parseEntries(plain: Buffer): readonly LogEntry[] {
  const text = plain.toString('utf8');
  if (!text.endsWith('\n')) throw new Error('its last line has no end');
  return text.slice(0, -1).split('\n').map(parseEntry);
}

/** One entry from its canonical form. */
export function parseEntry(line: string): LogEntry {
  const values = JSON.parse(line) as readonly Value[];
  const [position, generation, term, event, issuer, desk, token, reservation, amount] = values;
  const [reserved_after, limit_after, reason, decided_at] = values.slice(9);
  const entry = {
    position,
    generation,
    term,
    event,
    issuer,
    desk,
    token,
    reservation,
    amount,
    reserved_after,
    limit_after,
    reason,
    decided_at,
  } as LogEntry;
  if (canonicalEntry(entry) !== line)
    throw new Error(`not the canonical form of an entry: ${line.slice(0, 120)}`);
  return entry;
}
