import { CHAIN_START } from '../domain/log-entry.ts';
import {
  chainDigits,
  parseSegmentName,
  segmentsFolder,
  START_DIGITS,
  type SegmentName,
  type ShardPlace,
} from './keys.ts';
import type { ArchiveStore } from './store.ts';

/** A place in a shard's log: everything up to a position, by its hash. */
export interface LogPoint {
  readonly position: bigint;
  readonly chain: Buffer;
}

export const LOG_START: LogPoint = { position: 0n, chain: CHAIN_START };

/** Where a segment should end, and none does. */
export interface Missing {
  readonly last: bigint;
  readonly after: string;
}

export type Path = { readonly segments: readonly SegmentName[] } | { readonly missing: Missing };

/**
 * What follows on what among a shard's segments, by their names alone. Holds names: about 100 bytes a segment.
 */
export class ShardView {
  readonly segments: readonly SegmentName[];
  /** Names in the segments' folder that no segment has. */
  readonly strangers: readonly string[];
  /** By where they end; of several that lead there, one that can be reached from the beginning. */
  readonly #reached = new Map<string, SegmentName>();
  readonly #endingAt = new Map<string, SegmentName>();

  /** In the order of their first positions, so that what a segment follows on has been seen before it. */
  constructor(names: readonly string[]) {
    const parsed = names.map((name) => parseSegmentName(name) ?? name);
    this.segments = parsed.filter((name) => typeof name !== 'string').toSorted(byPlace);
    this.strangers = parsed.filter((name) => typeof name === 'string');
    for (const segment of this.segments) {
      const end = place(segment.last, segment.after);
      this.#endingAt.set(end, this.#endingAt.get(end) ?? segment);
      if (this.#isReached(segment.first - 1n, segment.before) && !this.#reached.has(end))
        this.#reached.set(end, segment);
    }
  }

  static async read(store: ArchiveStore, shard: ShardPlace): Promise<ShardView> {
    const names: string[] = [];
    for await (const name of store.list(segmentsFolder(shard))) names.push(name);
    return new ShardView(names);
  }

  /** The segments by which one comes from the beginning to a place. */
  pathTo(point: LogPoint): Path {
    const { segments, missing } = this.partTo(point);
    return missing === undefined ? { segments } : { missing };
  }

  /** The same, as far back as there are any. */
  partTo(point: LogPoint): { readonly segments: readonly SegmentName[]; readonly missing?: Missing } {
    return this.#wayTo(point.position, chainDigits(point.chain));
  }

  #wayTo(
    position: bigint,
    digits: string,
  ): { readonly segments: readonly SegmentName[]; readonly missing?: Missing } {
    const segments: SegmentName[] = [];
    let [last, after] = [position, digits];
    while (last > 0n || after !== START_DIGITS) {
      const end = place(last, after);
      const segment = this.#reached.get(end) ?? this.#endingAt.get(end);
      if (segment === undefined) return { segments: segments.toReversed(), missing: { last, after } };
      segments.push(segment);
      [last, after] = [segment.first - 1n, segment.before];
    }
    return { segments: segments.toReversed() };
  }

  /** The way from the beginning to as far as one comes without passing a position. */
  pathBelow(position: bigint): readonly SegmentName[] {
    const below = [...this.#reached.values()].filter(({ last }) => last < position);
    const furthest = below.reduce<SegmentName | undefined>(
      (a, b) => (a !== undefined && a.last >= b.last ? a : b),
      undefined,
    );
    return furthest === undefined ? [] : this.#wayTo(furthest.last, furthest.after).segments;
  }

  #isReached(position: bigint, digits: string): boolean {
    return position === 0n ? digits === START_DIGITS : this.#reached.has(place(position, digits));
  }
}

const place = (position: bigint, digits: string) => `${position}-${digits}`;

const byPlace = (a: SegmentName, b: SegmentName): number => {
  if (a.first !== b.first) return a.first < b.first ? -1 : 1;
  return a.last === b.last ? 0 : a.last < b.last ? -1 : 1;
};
