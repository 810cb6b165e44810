import type { HistoryLine } from '../history/types.ts';
import { linesOfEntry } from './evidence.ts';
import type { Issuer, Shard } from './facts.ts';

/** More than this is no excerpt; what lies further back is then left out, and the excerpt says that it isn't minimal. */
const ENTRIES_MAX = 500;

/**
 * What an issuer's state at an entry rests on: back to the last entry that stated the state in full, or to the beginning.
 * `reservation`: also every entry that names it.
 */
export function proofOf(issuer: Issuer, index: number, reservation: string | null = null): HistoryLine[] {
  const { entries, shard } = issuer;
  const lines: HistoryLine[] = [];
  let at = index;
  for (; at >= 0 && index - at < ENTRIES_MAX; at -= 1) {
    const entry = entries[at];
    if (entry === undefined) break;
    lines.push(...linesOfEntry(entry, shard));
    if (at < index && entry.reservedAfter !== null && entry.limitAfter !== null) break;
  }
  if (at < 0 || reservation !== null) lines.push(...originLines(shard));
  if (reservation !== null) {
    const [first] = entries;
    if (first !== undefined) lines.push(...linesOfEntry(first, shard));
    for (const entry of entries.slice(0, index)) {
      if (entry.reservation === reservation) lines.push(...linesOfEntry(entry, shard));
    }
  }
  return lines;
}

/** What shows where the log stood before the history. */
export function originLines(shard: Shard | null): HistoryLine[] {
  if (shard === null) return [];
  if (shard.base !== null) return [shard.base];
  const [first] = shard.log;
  return first === undefined ? [] : linesOfEntry(first, shard);
}
