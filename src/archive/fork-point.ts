import { canonicalEntry } from '../domain/log-entry.ts';
import type { LineageEntry } from '../domain/shard-log.ts';
import { archiveFault } from './archive-errors.ts';
import type { ArchiveHead, Superseded } from './head.ts';
import { segmentsFolder, type ShardPlace } from './keys.ts';
import { decodeSegment, type DecodedSegment, isProblem } from './segment.ts';
import { LOG_START, type LogPoint, ShardView } from './shard-view.ts';
import type { ArchiveStore } from './store.ts';

/** Where the archive goes on after a failover that lost part of what it holds. */
export interface ForkPoint {
  /** The end of the last live segment before the fork. */
  readonly restart: LogPoint;
  /** The entry there, canonical; empty at the beginning. */
  readonly lastEntry: string;
  /** The last position that both have: the log must pass it with this chain. */
  readonly before: LogPoint;
  readonly superseded: Superseded;
}

/** Reads the segments around the fork. Throws CapstanError `archive_damaged` (exit 3) where they can't be read. */
export async function forkPoint(options: {
  readonly store: ArchiveStore;
  readonly place: ShardPlace;
  readonly head: ArchiveHead;
  /** The first position that the later authority decided. */
  readonly from: bigint;
  readonly by: LineageEntry;
}): Promise<ForkPoint> {
  const { store, place, head, from, by } = options;
  const end = { position: BigInt(head.position), chain: Buffer.from(head.chain, 'hex') };
  const path = (await ShardView.read(store, place)).pathTo(end);
  if ('missing' in path) throw damaged(place, `no segment ends at position ${path.missing.last}`);
  const superseded = { first: String(from), last: head.position, chain: head.chain, by };
  const cut = path.segments.find(({ last }) => last >= from);
  const kept = path.segments.findLast(({ last }) => last < from);
  const [keptEnd, cutSegment] = await Promise.all(
    [kept, cut].map(async (segment) => {
      if (segment === undefined) return undefined;
      const key = `${segmentsFolder(place)}${segment.name}`;
      const bytes = (await store.read(key)) ?? Buffer.alloc(0);
      const decoded = await decodeSegment({ place, name: segment.name, bytes });
      if (isProblem(decoded)) throw damaged(place, `${segment.name}: ${decoded.why}`);
      return decoded;
    }),
  );
  const restart = keptEnd === undefined ? LOG_START : pointAt(keptEnd, keptEnd.entries.length - 1);
  const shared = cutSegment === undefined ? -1 : Number(from - BigInt(cutSegment.header.first)) - 1;
  const before = cutSegment === undefined || shared < 0 ? restart : pointAt(cutSegment, shared);
  const lastEntry = keptEnd?.entries.at(-1);
  return { restart, lastEntry: lastEntry === undefined ? '' : canonicalEntry(lastEntry), before, superseded };
}

function pointAt({ header, chains }: DecodedSegment, index: number): LogPoint {
  const chain = chains[index];
  if (chain === undefined) throw new Error('a position outside its segment');
  return { position: BigInt(header.first) + BigInt(index), chain };
}

const damaged = (place: ShardPlace, why: string) =>
  archiveFault(`shard ${place.shard}: the archive can't be read: ${why}`, {
    code: 'archive_damaged',
    next: `capstan log verify --shards ${place.shard}`,
    data: { shard: place.shard },
  });
