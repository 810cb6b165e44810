import type { HistoryLine } from '../history/types.ts';
import { linesOfEntry } from './evidence.ts';
import type { Issuer, Shard } from './facts.ts';

/** More than this is no excerpt; what lies further back is then left out, and the excerpt says that it isn't minimal. */
const ENTRIES_MAX = 500;

/**
 * What an issuer's state at an entry rests on: back to the last entry that stated the state in full, or to the beginning.
 * What concerns a reservation rests on all entries before: which of them made or ended it is part of the question.
 */
export function proofOf(issuer: Issuer, index: number, reservation: string | null = null): HistoryLine[] {
  const { entries, shard } = issuer;
  const lines: HistoryLine[] = [];
  const ended = new Set<string | null>();
  let at = index;
  for (; at >= 0 && index - at < ENTRIES_MAX; at -= 1) {
    const entry = entries[at];
    if (entry === undefined) break;
    lines.push(...linesOfEntry(entry, shard));
    const isStated = entry.reservedAfter !== null && entry.limitAfter !== null;
    if (at < index && isStated && reservation === null) break;
    if (entry.event === 'released') ended.add(entry.reservation);
    else if (entry.event === 'reserved') ended.delete(entry.reservation);
  }
  // The amount of a release is that of its reservation, which may be older.
  for (let back = at - 1; ended.size > 0 && back >= 0 && at - back < ENTRIES_MAX; back -= 1) {
    const entry = entries[back];
    if (entry?.event !== 'reserved' || !ended.delete(entry.reservation)) continue;
    lines.push(...linesOfEntry(entry, shard));
  }
  if (at < 0 || reservation !== null) lines.push(...originLines(shard));
  return lines;
}

/** What shows where the log stood before the history. */
export function originLines(shard: Shard | null): HistoryLine[] {
  if (shard === null) return [];
  if (shard.base !== null) return [shard.base];
  const [first] = shard.log;
  return first === undefined ? [] : linesOfEntry(first, shard);
}
