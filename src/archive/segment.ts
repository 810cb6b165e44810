import { promisify } from 'node:util';
import { gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib';
import { canonicalEntry, chainAfter, type LogEntry } from '../domain/log-entry.ts';
import { messageOf } from '../domain/errors.ts';
import type { LineageEntry } from '../domain/shard-log.ts';
import { parseEntries } from './entry-lines.ts';
import { segmentName, type ShardPlace } from './keys.ts';
import { authorityAt, compareAuthorities, rowsCovering } from './lineage.ts';
import { seal, sha256, unseal } from './sealed-text.ts';

export type Compression = 'zstd' | 'gzip';

/** Plain bytes of a body: at this the next entry begins another segment. */
export const SEGMENT_BYTES_MAX = 16 * 2 ** 20;
/** One entry more may go over it. */
const PLAIN_BYTES_MAX = SEGMENT_BYTES_MAX + 2 ** 20;
const KIND = 'capstan-segment 1';

export interface SegmentHeader extends ShardPlace {
  readonly first: string;
  readonly last: string;
  readonly chain_before: string;
  readonly chain_after: string;
  readonly lineage: readonly LineageEntry[];
  readonly compression: Compression;
  readonly bytes: number;
  readonly sha256: string;
  readonly stored_bytes: number;
  readonly stored_sha256: string;
}

export interface EncodedSegment {
  readonly name: string;
  readonly bytes: Buffer;
  readonly header: SegmentHeader;
  /** After the last entry. */
  readonly chain: Buffer;
}

const compressors = { zstd: promisify(zstdCompress), gzip: promisify(gzip) } as const;
const decompressors = { zstd: promisify(zstdDecompress), gzip: promisify(gunzip) } as const;

/** Makes a segment of entries that follow each other. The same entries of the same log make the same bytes. */
export async function encodeSegment(options: {
  readonly place: ShardPlace;
  readonly chainBefore: Buffer;
  readonly entries: readonly LogEntry[];
  /** The shard's whole lineage, in order. */
  readonly lineage: readonly LineageEntry[];
  readonly compression: Compression;
}): Promise<EncodedSegment> {
  const { place, chainBefore, entries, lineage, compression } = options;
  const [firstEntry, lastEntry] = [entries[0], entries.at(-1)];
  if (firstEntry === undefined || lastEntry === undefined) throw new Error('a segment without an entry');
  const chain = entries.reduce((before, entry) => chainAfter(before, entry), chainBefore);
  const plain = Buffer.from(entries.map((entry) => `${canonicalEntry(entry)}\n`).join(''));
  const stored = await compressors[compression](plain);
  const range = { first: BigInt(firstEntry.position), last: BigInt(lastEntry.position) };
  const header: SegmentHeader = {
    estate: place.estate,
    incarnation: place.incarnation,
    shard: place.shard,
    first: firstEntry.position,
    last: lastEntry.position,
    chain_before: chainBefore.toString('hex'),
    chain_after: chain.toString('hex'),
    lineage: rowsCovering(lineage, range),
    compression,
    bytes: plain.length,
    sha256: sha256(plain).toString('hex'),
    stored_bytes: stored.length,
    stored_sha256: sha256(stored).toString('hex'),
  };
  const bytes = Buffer.concat([seal(KIND, header).bytes, stored]);
  return { name: segmentName({ ...range, before: chainBefore, after: chain }), bytes, header, chain };
}

export type SegmentProblem = 'segment_damaged' | 'segment_misplaced' | 'chain_broken' | 'lineage_broken';

export interface DecodedSegment {
  readonly header: SegmentHeader;
  readonly entries: readonly LogEntry[];
  /** After each entry, in order. */
  readonly chains: readonly Buffer[];
}

export type Decoded =
  | DecodedSegment
  | { readonly problem: SegmentProblem; readonly why: string; readonly position?: string };

export const isProblem = (decoded: Decoded): decoded is Exclude<Decoded, DecodedSegment> =>
  'problem' in decoded;

const damaged = (why: string): Decoded => ({ problem: 'segment_damaged', why });

/** Reads a segment and holds it to everything that it says of itself, and to its place and name. Never throws. */
export async function decodeSegment(options: {
  readonly place: ShardPlace;
  readonly name: string;
  readonly bytes: Buffer;
}): Promise<Decoded> {
  const { place, name, bytes } = options;
  const sealed = unseal(KIND, bytes);
  if ('damage' in sealed) return damaged(sealed.damage);
  const header = sealed.value as SegmentHeader;
  const stored = sealed.rest;
  if (stored.length !== header.stored_bytes)
    return damaged(`its body has ${stored.length} bytes where ${header.stored_bytes} were written`);
  if (sha256(stored).toString('hex') !== header.stored_sha256) return damaged('its body was changed');
  const elsewhere = placeDifference(header, place, name);
  if (elsewhere !== undefined) return { problem: 'segment_misplaced', why: elsewhere };
  try {
    const plain = await decompressors[header.compression](stored, { maxOutputLength: PLAIN_BYTES_MAX });
    if (plain.length !== header.bytes || sha256(plain).toString('hex') !== header.sha256)
      return damaged('its entries are not the ones that were compressed');
    return holdToHeader(header, parseEntries(plain));
  } catch (error) {
    return damaged(`its body can't be read: ${messageOf(error)}`);
  }
}

function placeDifference(header: SegmentHeader, place: ShardPlace, name: string): string | undefined {
  const said = `${header.estate}/${header.incarnation}/${header.shard}`;
  const found = `${place.estate}/${place.incarnation}/${place.shard}`;
  if (said !== found) return `it was written for ${said} and lies at ${found}`;
  const own = segmentName({
    first: BigInt(header.first),
    last: BigInt(header.last),
    before: Buffer.from(header.chain_before, 'hex'),
    after: Buffer.from(header.chain_after, 'hex'),
  });
  return own === name ? undefined : `it was written as ${own}`;
}

function holdToHeader(header: SegmentHeader, entries: readonly LogEntry[]): Decoded {
  let chain: Buffer = Buffer.from(header.chain_before, 'hex');
  let expected = BigInt(header.first);
  const chains: Buffer[] = [];
  for (const entry of entries) {
    const { position } = entry;
    if (BigInt(position) !== expected)
      return { problem: 'chain_broken', why: `position ${position} where ${expected} comes next`, position };
    const owner = authorityAt(header.lineage, expected);
    if (owner === undefined || compareAuthorities(owner, entry) !== 0) {
      const given = owner === undefined ? 'nobody' : `generation ${owner.generation}, term ${owner.term}`;
      const why = `decided under generation ${entry.generation}, term ${entry.term}; its lineage gives the position to ${given}`;
      return { problem: 'lineage_broken', why, position };
    }
    chain = chainAfter(chain, entry);
    chains.push(chain);
    expected += 1n;
  }
  if (expected !== BigInt(header.last) + 1n)
    return {
      problem: 'chain_broken',
      why: `it ends before its last position ${header.last}`,
      position: String(expected),
    };
  if (chain.toString('hex') !== header.chain_after)
    return {
      problem: 'chain_broken',
      why: 'its entries do not lead to the chain that it names',
      position: header.last,
    };
  return { header, entries, chains };
}
