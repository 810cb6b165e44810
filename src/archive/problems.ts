import type { SegmentProblem } from './segment.ts';

/** What `verify` finds wrong; src/archive/SPEC.md says what each is. */
export type ProblemKind =
  | 'head_missing'
  | 'head_damaged'
  | 'segment_missing'
  | SegmentProblem
  | 'segment_unexplained'
  | 'shards_differ'
  | 'shards_unread';

export interface ArchiveProblem {
  readonly shard: number;
  readonly problem: ProblemKind;
  /** The object's name; null: it is one that isn't there. */
  readonly object: string | null;
  readonly position: string | null;
  readonly why: string;
}

/** Segments that are not live, and are no problem. */
export interface StraySegment {
  readonly shard: number;
  readonly object: string;
  readonly is: 'superseded' | 'duplicate' | 'pending';
}

export interface ShardVerified {
  readonly shard: number;
  /** Of the newest head that can be read; null: nothing is archived. */
  readonly position: string | null;
  readonly chain: string | null;
  /** Live segments. */
  readonly segments: number;
  readonly bytes: number;
  readonly strays: readonly StraySegment[];
  readonly problems: readonly ArchiveProblem[];
}
