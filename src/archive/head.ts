import { archiveFault } from './archive-errors.ts';
import type { LineageEntry } from '../domain/shard-log.ts';
import { headName, headsFolder, parseHeadName, type HeadName, type ShardPlace } from './keys.ts';
import { seal, unseal } from './sealed-text.ts';
import type { ArchiveStore } from './store.ts';

const KIND = 'capstan-head 1';

/** A chain that a later authority took the place of, from `first` on. */
export interface Superseded {
  readonly first: string;
  readonly last: string;
  /** After `last`. */
  readonly chain: string;
  readonly by: LineageEntry;
}

/** Up to where a shard is archived. */
export interface ArchiveHead extends ShardPlace {
  readonly position: string;
  readonly chain: string;
  /** The entry at `position`, canonical; empty at 0. */
  readonly last_entry: string;
  /** All that was known, in order. */
  readonly lineage: readonly LineageEntry[];
  readonly superseded: readonly Superseded[];
  /** The name of the head that it followed. */
  readonly previous: string | null;
}

export interface NamedHead extends HeadName {
  readonly head: ArchiveHead;
}

export type ReadHead = NamedHead | { readonly name: string; readonly damage: string };

export const isDamaged = (read: ReadHead): read is Exclude<ReadHead, NamedHead> => 'damage' in read;

export function encodeHead(head: ArchiveHead): { readonly name: string; readonly bytes: Buffer } {
  const last = head.lineage.at(-1);
  if (last === undefined) throw new Error('a head without a lineage');
  const { bytes, digest } = seal(KIND, head);
  const { generation, term } = last;
  return { name: headName({ generation, term, position: BigInt(head.position), digest }), bytes };
}

/** The names of a shard's heads, the newest last. */
export async function listHeads(store: ArchiveStore, place: ShardPlace): Promise<readonly HeadName[]> {
  const names: HeadName[] = [];
  for await (const name of store.list(headsFolder(place))) {
    const parsed = parseHeadName(name);
    if (parsed !== undefined) names.push(parsed);
  }
  return names;
}

/** One head, held to its name and place. */
export async function readHead(store: ArchiveStore, place: ShardPlace, name: string): Promise<ReadHead> {
  const bytes = await store.read(`${headsFolder(place)}${name}`);
  const parsed = parseHeadName(name);
  if (bytes === undefined || parsed === undefined) return { name, damage: 'it is not there' };
  const sealed = unseal(KIND, bytes);
  if ('damage' in sealed) return { name, damage: sealed.damage };
  if (sealed.rest.length > 0) return { name, damage: `${sealed.rest.length} bytes follow its end` };
  const head = sealed.value as ArchiveHead;
  const { estate, incarnation, shard } = head;
  if (estate !== place.estate || incarnation !== place.incarnation || shard !== place.shard)
    return { name, damage: `it was written for ${estate}/${incarnation}/${shard}` };
  const own = encodeHead(head).name;
  return own === name ? { ...parsed, head } : { name, damage: `it was written as ${own}` };
}

/**
 * The newest head; undefined: nothing is archived. Throws CapstanError `archive_damaged` (exit 3): nothing is added to
 * an archive whose newest head can't be read.
 */
export async function newestHead(store: ArchiveStore, place: ShardPlace): Promise<NamedHead | undefined> {
  const newest = (await listHeads(store, place)).at(-1);
  if (newest === undefined) return undefined;
  const read = await readHead(store, place, newest.name);
  if (!isDamaged(read)) return read;
  throw archiveFault(
    `shard ${place.shard}: the archive's newest head ${read.name} is damaged: ${read.damage}`,
    {
      code: 'archive_damaged',
      next: `capstan log verify --shard ${place.shard}`,
      data: { shard: place.shard, object: `${headsFolder(place)}${read.name}` },
    },
  );
}
