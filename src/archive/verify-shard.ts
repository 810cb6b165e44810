import type { LineageEntry } from '../domain/shard-log.ts';
import type { NamedHead } from './head.ts';
import { chainDigits, segmentsFolder, type SegmentName, type ShardPlace } from './keys.ts';
import { authorityAt, compareAuthorities } from './lineage.ts';
import type { ArchiveProblem, ShardVerified, StraySegment } from './problems.ts';
import { decodeSegment, type DecodedSegment, isProblem } from './segment.ts';
import { LOG_START, ShardView } from './shard-view.ts';
import type { ArchiveStore } from './store.ts';
import { verifyHeads } from './verify-heads.ts';

/** Where the live chain stands at positions of interest. */
type LiveChains = Map<bigint, string>;

/** Reads everything that the archive holds of a shard, one segment at a time, and tells what is wrong. */
export async function verifyShard(options: {
  readonly store: ArchiveStore;
  readonly place: ShardPlace;
  readonly signal?: AbortSignal;
}): Promise<ShardVerified> {
  const { store, place } = options;
  const { shard } = place;
  const [{ newest, problems: headProblems }, view] = await Promise.all([
    verifyHeads(store, place),
    ShardView.read(store, place),
  ]);
  const verification = new ShardVerification(options, newest, view);
  const problems = [...headProblems, ...(await verification.run())];
  return {
    shard,
    position: newest?.head.position ?? null,
    chain: newest?.head.chain ?? null,
    segments: verification.liveCount,
    bytes: verification.bytes,
    strays: verification.strays,
    problems,
  };
}

class ShardVerification {
  readonly strays: StraySegment[] = [];
  liveCount = 0;
  bytes = 0;
  readonly #options: Parameters<typeof verifyShard>[0];
  readonly #newest: NamedHead | undefined;
  readonly #view: ShardView;
  readonly #problems: ArchiveProblem[] = [];
  readonly #liveChains: LiveChains = new Map();
  /** The chain after the live segment that was read last. */
  #reached: string | undefined;
  #end = 0n;

  constructor(options: Parameters<typeof verifyShard>[0], newest: NamedHead | undefined, view: ShardView) {
    this.#options = options;
    this.#newest = newest;
    this.#view = view;
  }

  async run(): Promise<readonly ArchiveProblem[]> {
    for (const name of this.#view.strangers)
      this.#report('segment_misplaced', name, null, 'no segment has such a name');
    const live = this.#live();
    const isLive = new Set(live);
    const others = this.#view.segments.filter((segment) => !isLive.has(segment));
    for (const { first, last } of others) {
      this.#liveChains.set(first - 1n, '');
      this.#liveChains.set(last, '');
    }
    this.#liveChains.set(0n, chainDigits(LOG_START.chain));
    for (const segment of live) {
      if (this.#end !== segment.first - 1n) this.#reached = undefined;
      this.#end = segment.last;
      const decoded = await this.#decode(segment);
      if (decoded === undefined) this.#reached = undefined;
      else this.#holdLive(decoded, segment.name);
    }
    for (const segment of others) {
      const decoded = await this.#decode(segment);
      if (decoded !== undefined) this.#explain(decoded, segment);
    }
    return this.#problems;
  }

  #live(): readonly SegmentName[] {
    const live = this.#pathTo(this.#newest?.head, 'the newest head');
    for (const { chain, last } of this.#newest?.head.superseded ?? [])
      this.#pathTo({ chain, position: last }, 'a superseded chain');
    if (this.#newest === undefined && this.#view.segments.length > 0)
      this.#report('head_missing', null, null, 'there are segments, and no head that can be read');
    this.liveCount = live.length;
    return live;
  }

  #pathTo(end: { readonly position: string; readonly chain: string } | undefined, whose: string) {
    if (end === undefined) return [];
    const point = { position: BigInt(end.position), chain: Buffer.from(end.chain, 'hex') };
    const { segments, missing } = this.#view.partTo(point);
    if (missing === undefined) return segments;
    const { last, after } = missing;
    this.#report(
      'segment_missing',
      null,
      String(last),
      `${whose} needs one that ends at position ${last}, chain ${after}`,
    );
    return [...this.#view.pathBelow(last), ...segments];
  }

  async #decode({ name, first }: SegmentName): Promise<DecodedSegment | undefined> {
    const { store, place, signal } = this.#options;
    signal?.throwIfAborted();
    const bytes = await store.read(`${segmentsFolder(place)}${name}`);
    this.bytes += bytes?.length ?? 0;
    const decoded = await decodeSegment({ place, name, bytes: bytes ?? Buffer.alloc(0) });
    if (!isProblem(decoded)) return decoded;
    this.#report(decoded.problem, name, decoded.position ?? String(first), decoded.why);
    return undefined;
  }

  #holdLive({ header, entries, chains }: DecodedSegment, name: string): void {
    const lineage = this.#newest?.head.lineage ?? [];
    for (const [index, entry] of entries.entries()) {
      const position = BigInt(entry.position);
      const chain = chains[index];
      if (this.#liveChains.has(position) && chain !== undefined)
        this.#liveChains.set(position, chainDigits(chain));
      const owner = authorityAt(lineage, position);
      if (owner !== undefined && compareAuthorities(owner, entry) === 0) continue;
      this.#report(
        'lineage_broken',
        name,
        entry.position,
        `the head's lineage gives the position to another authority`,
      );
      return;
    }
    if (this.#reached !== undefined && this.#reached !== header.chain_before)
      this.#report(
        'chain_broken',
        name,
        header.first,
        'it follows on another log than the segment before it ends in',
      );
    this.#reached = header.chain_after;
    const { head } = this.#newest ?? {};
    if (head?.position === header.last && head.chain !== header.chain_after)
      this.#report('chain_broken', name, header.last, 'it ends in another chain than the head names');
    const first = BigInt(header.first);
    if (this.#liveChains.has(first - 1n) && first > 1n)
      this.#liveChains.set(first - 1n, header.chain_before.slice(0, 16));
  }

  /** Whether a segment beside the live chain holds a part of it, goes on from its end, or was superseded. */
  #explain({ header, entries }: DecodedSegment, segment: SegmentName): void {
    const { shard } = this.#options.place;
    const head = this.#newest?.head;
    if (head === undefined) return;
    const is = (kind: StraySegment['is']) => this.strays.push({ shard, object: segment.name, is: kind });
    const follows = this.#liveChains.get(segment.first - 1n) === segment.before;
    const end = BigInt(head.position);
    if (follows && this.#liveChains.get(segment.last) === segment.after) is('duplicate');
    else if (isSuperseded(entries, head.lineage)) is('superseded');
    else if (segment.last > end && (segment.first > end || follows)) is('pending');
    else
      this.#report(
        'segment_unexplained',
        segment.name,
        header.first,
        'it contradicts the live chain under the same lineage',
      );
  }

  #report(
    problem: ArchiveProblem['problem'],
    object: string | null,
    position: string | null,
    why: string,
  ): void {
    this.#problems.push({ shard: this.#options.place.shard, problem, object, position, why });
  }
}

/** Whether a later authority has taken the place of the one that decided the last of these. */
function isSuperseded(entries: DecodedSegment['entries'], live: readonly LineageEntry[]): boolean {
  const last = entries.at(-1);
  if (last === undefined) return false;
  const owner = authorityAt(live, BigInt(last.position));
  return owner !== undefined && compareAuthorities(owner, last) > 0;
}
