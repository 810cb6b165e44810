import type { Compression } from './segment.ts';

/** When what is there is cut into a segment, and how it is kept. */
export interface ArchiveLimits {
  /** Entries of a full segment. */
  readonly segmentEntries: number;
  /** Older than this, the first entry that isn't archived closes a segment that isn't full. */
  readonly closeAfterMs: number;
  readonly compression: Compression;
}
