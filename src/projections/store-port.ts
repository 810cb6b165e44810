import type { LogEntry } from '../domain/log-entry.ts';
import type { LineageEntry, ShardLog } from '../domain/shard-log.ts';

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

/** The projections' database as a projector writes it. Each call is one transaction; a rejected one changed nothing or its outcome is on the watermark. */
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
  /** At `asOf` none of these shards lacked anything of this cluster's log. */
  mark(request: {
    readonly source: string;
    readonly cluster: string;
    readonly member: string;
    readonly asOf: string;
    readonly shards: readonly number[];
  }): Promise<void>;
  close(): Promise<void>;
}
