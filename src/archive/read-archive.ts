import type { LogEntry } from '../domain/log-entry.ts';
import { archiveFault } from './archive-errors.ts';
import { type ArchiveHead, newestHead } from './head.ts';
import { segmentsFolder, type ShardPlace } from './keys.ts';
import { decodeSegment, isProblem } from './segment.ts';
import { ShardView } from './shard-view.ts';
import type { ArchiveStore } from './store.ts';

export interface ArchivedLog {
  readonly head: ArchiveHead;
  /** Each a segment's entries, checked as a whole before they are given out. Throws `archive_damaged` (exit 3). */
  readonly pages: AsyncIterable<readonly LogEntry[]>;
}

/** A shard's live log as the archive holds it, or a range of it. Undefined: nothing of it is archived. */
export async function readArchive(options: {
  readonly store: ArchiveStore;
  readonly place: ShardPlace;
  /** The first and last position that are wanted. */
  readonly from?: bigint;
  readonly to?: bigint;
  readonly signal?: AbortSignal;
}): Promise<ArchivedLog | undefined> {
  const { store, place } = options;
  const newest = await newestHead(store, place);
  if (newest === undefined) return undefined;
  const { head } = newest;
  return { head, pages: pagesOf(options, head) };
}

async function* pagesOf(
  options: Parameters<typeof readArchive>[0],
  head: ArchiveHead,
): AsyncGenerator<readonly LogEntry[]> {
  const { store, place, from = 1n, to = BigInt(head.position), signal } = options;
  const view = await ShardView.read(store, place);
  const path = view.pathTo({ position: BigInt(head.position), chain: Buffer.from(head.chain, 'hex') });
  if ('missing' in path) throw damaged(place, `no segment ends at position ${path.missing.last}`);
  let reached: string | undefined;
  for (const { name, first, last } of path.segments) {
    if (last < from || first > to) continue;
    signal?.throwIfAborted();
    const bytes = await store.read(`${segmentsFolder(place)}${name}`);
    const decoded = await decodeSegment({ place, name, bytes: bytes ?? Buffer.alloc(0) });
    if (isProblem(decoded)) throw damaged(place, `${name}: ${decoded.why}`);
    const { header, entries } = decoded;
    if (reached !== undefined && header.chain_before !== reached)
      throw damaged(place, `${name} follows on another log`);
    reached = header.chain_after;
    if (last === BigInt(head.position) && reached !== head.chain)
      throw damaged(place, `${name} ends elsewhere than the head`);
    const wanted = entries.filter(({ position }) => BigInt(position) >= from && BigInt(position) <= to);
    if (wanted.length > 0) yield wanted;
  }
}

const damaged = (place: ShardPlace, why: string) =>
  archiveFault(`shard ${place.shard}: the archive can't be read: ${why}`, {
    code: 'archive_damaged',
    next: `capstan log verify --shards ${place.shard}`,
    data: { shard: place.shard },
  });
