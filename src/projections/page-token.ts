import { createHash } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { refusedError, usageError } from '../domain/errors.ts';
import type { WatermarkFacts } from './queries/watermarks.ts';

const VERSION = 1;
/** A page of 480 shards takes about 2 kB. */
const TEXT_MAX = 12_000;
const BYTES_MAX = 64 * 1_024;

/** What a page began under: the watermarks of its first page, and where it ended. */
export interface PageState {
  /** By shard; every page shows the rows up to these, whatever came since. */
  readonly positions: ReadonlyMap<number, string>;
  /** Of the same shards together: a rebuild since may have replaced what the first page showed. */
  readonly rebuilds: number;
  readonly after: readonly (string | number)[];
}

/** A page's state as opaque text, bound to its query. */
export function formatPage(query: unknown, { positions, rebuilds, after }: PageState): string {
  const numbers = [...positions].flatMap(([shard, position]) => [shard, position]);
  const text = JSON.stringify([VERSION, digestOf(query), rebuilds, numbers, after]);
  return deflateRawSync(text).toString('base64url');
}

/** Throws CapstanError `page_invalid` (exit 2) for what is no page, or one of another query. */
export function parsePage(query: unknown, text: string): PageState {
  const parts = text.length > TEXT_MAX ? undefined : decoded(text);
  if (!Array.isArray(parts) || parts[0] !== VERSION) throw invalid('this is not a page');
  const [, digest, rebuilds, numbers, after] = parts as [
    number,
    string,
    number,
    (number | string)[],
    string[],
  ];
  if (digest !== digestOf(query)) throw invalid('this page belongs to another query');
  const positions = new Map<number, string>();
  for (let i = 0; i + 1 < numbers.length; i += 2) positions.set(Number(numbers[i]), String(numbers[i + 1]));
  return { positions, rebuilds, after };
}

/**
 * The state of a first page, or of a further one if what it began under is still there. Throws CapstanError `page_outdated` (exit 4): a
 * shard was rebuilt since, or the database lost its tail; begin again.
 */
export function pageUnder(facts: readonly WatermarkFacts[], page: PageState | undefined): PageState {
  const positions = new Map(facts.map(({ shard, position }) => [shard, position]));
  const rebuilds = facts.reduce((sum, fact) => sum + fact.rebuilds, 0);
  if (page === undefined) return { positions, rebuilds, after: [] };
  const lost = [...page.positions].some(
    ([shard, position]) => BigInt(positions.get(shard) ?? -1) < BigInt(position),
  );
  if (lost || rebuilds !== page.rebuilds) {
    throw refusedError('the projections were rebuilt since this page began', {
      code: 'page_outdated',
      next: 'begin again with the first page',
    });
  }
  return page;
}

/** Positions by shard number, as a statement takes them; a shard that isn't among them shows nothing. */
export function positionsArray(positions: ReadonlyMap<number, string>): (string | null)[] {
  const length = Math.max(-1, ...positions.keys()) + 1;
  return Array.from({ length }, (_, shard) => positions.get(shard) ?? null);
}

const digestOf = (query: unknown): string =>
  createHash('sha256').update(JSON.stringify(query)).digest('base64url').slice(0, 16);

function decoded(text: string): unknown {
  try {
    const bytes = inflateRawSync(Buffer.from(text, 'base64url'), { maxOutputLength: BYTES_MAX });
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

const invalid = (message: string): Error => usageError(message, { code: 'page_invalid' });
