import type { Clock } from '../clock/clock.ts';
import { canonicalEntry } from '../domain/log-entry.ts';
import type { ShardLog } from '../domain/shard-log.ts';
import { archiveFault } from './archive-errors.ts';
import { forkPoint, type ForkPoint } from './fork-point.ts';
import { type ArchiveHead, encodeHead, newestHead, type NamedHead, type Superseded } from './head.ts';
import { judgeLog } from './judge-log.ts';
import { headsFolder, segmentsFolder, type ShardPlace } from './keys.ts';
import type { ArchiveLimits } from './limits.ts';
import { inOrder } from './lineage.ts';
import type { LogReader } from './log-port.ts';
import { decodeSegment, type EncodedSegment, isProblem } from './segment.ts';
import { SegmentCutter } from './segment-cutter.ts';
import { LOG_START, type LogPoint } from './shard-view.ts';
import type { ArchiveStore } from './store.ts';

const PAGE_ENTRIES = 2_000;

export interface ArchiveShardOptions {
  readonly store: ArchiveStore;
  readonly reader: LogReader;
  readonly place: ShardPlace;
  readonly limits: ArchiveLimits;
  /** Also what isn't full, up to the source's bound. */
  readonly close: boolean;
  readonly clock: Clock;
  /** Ends it before the next segment. */
  readonly signal?: AbortSignal;
  readonly onSegment?: (segment: { readonly shard: number; readonly last: string }) => void;
}

/** What became of one shard. */
export interface ShardArchived {
  readonly shard: number;
  /** Archived before, and now. */
  readonly from: string;
  readonly to: string;
  /** Of the source; null: nobody answers for the shard. */
  readonly bound: string | null;
  readonly segments: number;
  readonly entries: number;
  readonly bytes: number;
  /** What was found to be superseded. */
  readonly superseded: Superseded | null;
  /** Why nothing was done though there may be something. */
  readonly behind: string | null;
}

interface Standing {
  readonly head: ArchiveHead | undefined;
  readonly name: string | null;
  readonly point: LogPoint;
}

const standingOf = (found: NamedHead | undefined): Standing => ({
  head: found?.head,
  name: found?.name ?? null,
  point:
    found === undefined
      ? LOG_START
      : { position: found.position, chain: Buffer.from(found.head.chain, 'hex') },
});

/**
 * Adds to the archive what the shard's log has and it doesn't: full segments, and the rest where it is due. Killed at any
 * moment it leaves the old head or the new one, and run again it goes on. Throws CapstanError `archive_conflict` and
 * `archive_damaged` (exit 3), and what store and reader throw.
 */
export async function archiveShard(options: ArchiveShardOptions): Promise<ShardArchived> {
  const { store, reader, place } = options;
  let standing = standingOf(await newestHead(store, place));
  const result = {
    shard: place.shard,
    from: String(standing.point.position),
    to: String(standing.point.position),
    bound: null,
    segments: 0,
    entries: 0,
    bytes: 0,
    superseded: null,
    behind: null,
  };
  const first = await page(reader, place.shard, standing.point.position, PAGE_ENTRIES);
  if (first === undefined) return { ...result, behind: 'nobody answers for the shard' };
  const judged = judgeLog(standing.head, first);
  if (judged.kind === 'behind') return { ...result, bound: first.bound, behind: judged.why };
  if (judged.kind === 'conflict') throw conflict(place, standing.point.position, judged.why);
  const fork =
    judged.kind === 'forked' && standing.head !== undefined
      ? await forkPoint({ store, place, head: standing.head, ...judged })
      : undefined;
  if (fork !== undefined) standing = { ...standing, point: fork.restart };
  const done = await addSegments(options, standing, { first, fork });
  return { ...result, ...done, bound: first.bound, superseded: fork?.superseded ?? null };
}

interface Added {
  readonly to: string;
  readonly segments: number;
  readonly entries: number;
  readonly bytes: number;
}

async function addSegments(
  options: ArchiveShardOptions,
  standing: Standing,
  { first, fork }: { readonly first: ShardLog; readonly fork: ForkPoint | undefined },
): Promise<Added> {
  const { place, limits, close, clock } = options;
  const bound = BigInt(first.bound);
  const lineage = inOrder(first.lineage);
  const cutter = new SegmentCutter({
    place,
    lineage,
    limits,
    from: standing.point,
    read: async (after) => (await page(options.reader, place.shard, after, PAGE_ENTRIES)) ?? first,
    first: fork === undefined ? first : undefined,
    until: bound,
    closesAt: close || fork !== undefined ? undefined : clock.wallMs() - limits.closeAfterMs,
    ...(fork === undefined ? {} : { mustPass: fork.before }),
  });
  const superseded = [...(standing.head?.superseded ?? []), ...(fork === undefined ? [] : [fork.superseded])];
  let previous = standing.name;
  const added = { to: standing.point.position, segments: 0, entries: 0, bytes: 0 };
  for await (const segment of cutter.segments()) {
    await make(options, segment);
    const { header, chain } = segment;
    const last_entry = canonicalEntry(segment.lastEntry);
    const head = {
      ...place,
      position: header.last,
      chain: chain.toString('hex'),
      last_entry,
      lineage,
      superseded,
      previous,
    };
    previous = await makeHead(options, head);
    added.segments += 1;
    added.entries += Number(BigInt(header.last) - BigInt(header.first)) + 1;
    added.bytes += segment.bytes.length;
    added.to = BigInt(header.last);
    options.onSegment?.({ shard: place.shard, last: header.last });
    if (options.signal?.aborted === true) break;
  }
  // Everything that the archive held from there on was lost, and nothing is decided since.
  if (fork !== undefined && added.segments === 0) {
    const { position, chain } = fork.restart;
    const rest = { position: String(position), chain: chain.toString('hex'), last_entry: fork.lastEntry };
    await makeHead(options, { ...place, ...rest, lineage, superseded, previous });
  }
  return { ...added, to: String(added.to) };
}

async function page(
  reader: LogReader,
  shard: number,
  after: bigint,
  limit: number,
): Promise<ShardLog | undefined> {
  return (await reader.read([{ shard, after: String(after) }], limit)).get(shard);
}

/** One that is there already must be what this one is: it may have been written by somebody else, or long ago. */
async function make({ store, place }: ArchiveShardOptions, segment: EncodedSegment): Promise<void> {
  const key = `${segmentsFolder(place)}${segment.name}`;
  if ((await store.create(key, segment.bytes)) === 'created') return;
  const there = await store.read(key);
  if (there?.equals(segment.bytes) === true) return;
  const decoded = await decodeSegment({ place, name: segment.name, bytes: there ?? Buffer.alloc(0) });
  const why = isProblem(decoded)
    ? decoded.why
    : decoded.header.chain_after === segment.header.chain_after
      ? undefined
      : 'it holds other entries';
  if (why === undefined) return;
  throw archiveFault(
    `shard ${place.shard}: the archive's ${segment.name} is not what the log holds: ${why}`,
    {
      code: 'archive_damaged',
      next: `move ${key} out of the archive, and archive again`,
      data: { shard: place.shard, object: key },
    },
  );
}

async function makeHead({ store, place }: ArchiveShardOptions, head: ArchiveHead): Promise<string> {
  const { name, bytes } = encodeHead(head);
  await store.create(`${headsFolder(place)}${name}`, bytes);
  return name;
}

export const conflict = (place: ShardPlace, position: bigint, why: string) =>
  archiveFault(`shard ${place.shard}, position ${position}: the log does not follow on its archive: ${why}`, {
    code: 'archive_conflict',
    next: `capstan log verify --shards ${place.shard} --against shards`,
    data: { shard: place.shard, position: String(position), why },
  });
