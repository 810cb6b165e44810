import { canonicalEntry, chainAfter, type LogEntry } from '../domain/log-entry.ts';
import type { LineageEntry, ShardLog } from '../domain/shard-log.ts';
import { archiveFault } from './archive-errors.ts';
import type { ShardPlace } from './keys.ts';
import type { ArchiveLimits } from './limits.ts';
import { compareLineages, inOrder } from './lineage.ts';
import { encodeSegment, type EncodedSegment, SEGMENT_BYTES_MAX } from './segment.ts';
import type { LogPoint } from './shard-view.ts';

export interface SegmentCutterOptions {
  readonly place: ShardPlace;
  readonly lineage: readonly LineageEntry[];
  readonly limits: ArchiveLimits;
  readonly from: LogPoint;
  /** The next page after a position. */
  readonly read: (after: bigint) => Promise<ShardLog>;
  /** The page after `from`, if it has been read. */
  readonly first: ShardLog | undefined;
  /** Nothing above it is taken. */
  readonly until: bigint;
  /** What is left makes a segment if its first entry was decided before then; undefined: whatever its age. */
  readonly closesAt: number | undefined;
  /** The log must come by here. */
  readonly mustPass?: LogPoint;
}

export interface CutSegment extends EncodedSegment {
  readonly lastEntry: LogEntry;
}

/** Cuts a shard's log into segments as it comes, holding one of them and a page. */
export class SegmentCutter {
  readonly #options: SegmentCutterOptions;
  #held: LogEntry[] = [];
  #heldBytes = 0;
  #at: LogPoint;
  #chainBefore: Buffer;

  constructor(options: SegmentCutterOptions) {
    this.#options = options;
    this.#at = options.from;
    this.#chainBefore = options.from.chain;
  }

  async *segments(): AsyncGenerator<CutSegment> {
    const { until, first, read, limits } = this.#options;
    let log = first;
    while (this.#at.position < until) {
      log ??= await read(this.#at.position);
      this.#demandSameAuthority(log);
      const entries = log.entries.filter(({ position }) => BigInt(position) <= until);
      if (entries.length === 0) break;
      for (const entry of entries) {
        this.#take(entry);
        if (this.#held.length >= limits.segmentEntries || this.#heldBytes >= SEGMENT_BYTES_MAX)
          yield await this.#cut();
      }
      log = undefined;
    }
    if (this.#isDue()) yield await this.#cut();
  }

  #take(entry: LogEntry): void {
    const { place, mustPass } = this.#options;
    const position = this.#at.position + 1n;
    if (BigInt(entry.position) !== position)
      throw fault(place, position, `position ${entry.position} came where ${position} was due`);
    this.#at = { position, chain: chainAfter(this.#at.chain, entry) };
    if (mustPass?.position === position && !mustPass.chain.equals(this.#at.chain))
      throw fault(place, position, 'up to here both should hold the same, and they do not');
    this.#held.push(entry);
    this.#heldBytes += canonicalEntry(entry).length;
  }

  #isDue(): boolean {
    const [oldest] = this.#held;
    const { closesAt } = this.#options;
    return oldest !== undefined && (closesAt === undefined || Date.parse(oldest.decided_at) <= closesAt);
  }

  async #cut(): Promise<CutSegment> {
    const { place, lineage, limits } = this.#options;
    const [entries, lastEntry] = [this.#held, this.#held.at(-1)];
    if (lastEntry === undefined) throw new Error('nothing to cut');
    const chainBefore = this.#chainBefore;
    const { compression } = limits;
    const segment = await encodeSegment({ place, chainBefore, entries, lineage, compression });
    this.#held = [];
    this.#heldBytes = 0;
    this.#chainBefore = segment.chain;
    return { ...segment, lastEntry };
  }

  /** A failover between two pages: the next run judges it. */
  #demandSameAuthority({ lineage }: ShardLog): void {
    const { place, lineage: known } = this.#options;
    if (compareLineages(known, inOrder(lineage)).kind === 'same') return;
    throw fault(place, this.#at.position, 'its authority changed meanwhile', true);
  }
}

const fault = (place: ShardPlace, position: bigint, why: string, retryable = false) =>
  archiveFault(`shard ${place.shard}, position ${position}: the log can't be archived: ${why}`, {
    code: 'archive_conflict',
    retryable,
    next: retryable ? 'archive again' : `capstan log verify --shards ${place.shard} --against shards`,
    data: { shard: place.shard, position: String(position), why },
  });
