import type { LogEntry } from './log-entry.ts';

/** One row of a shard's lineage as its log's source holds it. */
export interface LineageEntry {
  readonly generation: number;
  readonly term: number;
  readonly first_position: string;
  readonly cluster: string;
  readonly reason: string;
  /** UTC, with microseconds. */
  readonly began_at: string;
}

/** What one answer of a source holds of one shard, in one snapshot. */
export interface ShardLog {
  readonly shard: number;
  readonly head: string;
  /** Nothing above it may be taken from this source. */
  readonly bound: string;
  /** All that was confirmed of this shard before then is at or below `bound`; null: how old that is can't be told. */
  readonly at: string | null;
  /** The entry at the position that was asked from; null: that position was 0 or above `bound`, or this source doesn't hold it. */
  readonly previous: LogEntry | null;
  /** Oldest first. */
  readonly lineage: readonly LineageEntry[];
  /** After the position that was asked from, in order, none above `bound`. */
  readonly entries: readonly LogEntry[];
}
