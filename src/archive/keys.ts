import { CHAIN_START } from '../domain/log-entry.ts';

/** A segment as its name tells it. */
export interface SegmentName {
  readonly name: string;
  readonly first: bigint;
  readonly last: bigint;
  /** The first 16 hex digits of the chain before its first and after its last entry. */
  readonly before: string;
  readonly after: string;
}

const POSITION_DIGITS = 19;
const CHAIN_DIGITS = 16;
const AUTHORITY_DIGITS = 10;
const SHARD_DIGITS = 4;
const SEGMENT = /^(\d{19})-(\d{19})-([0-9a-f]{16})-([0-9a-f]{16})\.seg$/;
const HEAD = /^(\d{10})-(\d{10})-(\d{19})-[0-9a-f]{16}\.head$/;
const SHARD = /^(\d{4})\/$/;

/** The part of a chain that stands in names. */
export const chainDigits = (chain: Buffer): string => chain.toString('hex').slice(0, CHAIN_DIGITS);
export const START_DIGITS: string = chainDigits(CHAIN_START);

const padded = (value: bigint) => String(value).padStart(POSITION_DIGITS, '0');

export function segmentName(segment: {
  readonly first: bigint;
  readonly last: bigint;
  readonly before: Buffer;
  readonly after: Buffer;
}): string {
  const { first, last, before, after } = segment;
  return `${padded(first)}-${padded(last)}-${chainDigits(before)}-${chainDigits(after)}.seg`;
}

/** Undefined: no segment has such a name. */
export function parseSegmentName(name: string): SegmentName | undefined {
  const [, first, last, before, after] = SEGMENT.exec(name) ?? [];
  if (first === undefined || last === undefined || before === undefined || after === undefined)
    return undefined;
  const parsed = { name, first: BigInt(first), last: BigInt(last), before, after };
  return parsed.first >= 1n && parsed.last >= parsed.first ? parsed : undefined;
}

/** A head as its name tells it; names sort as heads do, the newest last. */
export interface HeadName {
  readonly name: string;
  readonly generation: number;
  readonly term: number;
  readonly position: bigint;
}

export function headName(head: {
  readonly generation: number;
  readonly term: number;
  readonly position: bigint;
  /** SHA-256 of its content. */
  readonly digest: Buffer;
}): string {
  const { generation, term, position, digest } = head;
  const authority = [generation, term].map((value) => String(value).padStart(AUTHORITY_DIGITS, '0'));
  return `${authority.join('-')}-${padded(position)}-${chainDigits(digest)}.head`;
}

/** Undefined: no head has such a name. */
export function parseHeadName(name: string): HeadName | undefined {
  const [, generation, term, position] = HEAD.exec(name) ?? [];
  if (position === undefined) return undefined;
  return { name, generation: Number(generation), term: Number(term), position: BigInt(position) };
}

export const shardFolderName = (shard: number): string => `${String(shard).padStart(SHARD_DIGITS, '0')}/`;

/** The shard of a folder's name as `list` gives it. */
export function parseShardFolder(name: string): number | undefined {
  const [, digits] = SHARD.exec(name) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** One shard's place in an archive. */
export interface ShardPlace {
  readonly estate: string;
  readonly incarnation: string;
  readonly shard: number;
}

export const shardFolder = ({ estate, incarnation, shard }: ShardPlace): string =>
  `${estate}/${incarnation}/${shardFolderName(shard)}`;
export const segmentsFolder = (place: ShardPlace): string => `${shardFolder(place)}segments/`;
export const headsFolder = (place: ShardPlace): string => `${shardFolder(place)}heads/`;
