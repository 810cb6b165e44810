import type { LogEntry } from '../domain/log-entry.ts';
import type { LineageEntry, ShardLog } from '../domain/shard-log.ts';

export type { LineageEntry, ShardLog } from '../domain/shard-log.ts';

/** What became of a shard's log at the projections' database; src/projections/SPEC.md says when each is found. */
export type Applied =
  | {
      readonly kind: 'applied';
      readonly position: string;
      readonly entries: number;
      readonly repeats: number;
    }
  | { readonly kind: 'paused' }
  | { readonly kind: 'behind'; readonly why: string }
  | { readonly kind: 'gap'; readonly why: string }
  | { readonly kind: 'forked'; readonly why: string }
  /** Somebody has asked for a rebuild, or one was begun and not finished. */
  | { readonly kind: 'rebuild'; readonly why: string };

/**
 * The projections' database as a projector writes it. Each call is one transaction (a rebuild: two, the first of which says that it
 * began); of a rejected one the watermark says whether it happened. Rejects with `postgres_unreachable` (exit 7), `projection_busy`
 * (exit 4, retryable: another process holds the shard), and of a rebuild `projection_log_broken` (exit 4: the pages are not one whole log) and
 * `projection_paused` (exit 4).
 */
export interface ProjectionStore {
  watermarks(
    shards: readonly number[],
  ): Promise<ReadonlyMap<number, { readonly position: string; readonly state: string }>>;
  apply(request: {
    readonly cluster: string;
    readonly log: ShardLog;
    /** Of the answer; set as the shard's own `as_of` when this leaves nothing behind. */
    readonly asOf: string | null;
    readonly source: string;
  }): Promise<Applied>;
  /** Folds the whole log of a shard anew, in one transaction; `pages` gives it from position 1 on, in order. */
  rebuild(request: {
    readonly cluster: string;
    readonly shard: number;
    readonly why: string;
    readonly by: string;
    readonly lineage: readonly LineageEntry[];
    readonly pages: AsyncIterable<readonly LogEntry[]>;
  }): Promise<{ readonly position: string; readonly entries: number }>;
  /**
   * At `asOf` none of these shards lacked anything of this cluster's log. Of a source it names all shards that it speaks for: it speaks
   * no longer for those that are left out, nor for one whose position here is below what this store has seen (a database that
   * crashed lost its tail), until the next `apply` or `watermarks`.
   */
  mark(request: {
    readonly source: string;
    readonly cluster: string;
    readonly member: string;
    readonly asOf: string;
    readonly shards: readonly number[];
  }): Promise<void>;
  close(): Promise<void>;
}
