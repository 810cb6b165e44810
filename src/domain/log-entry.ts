import { createHash } from 'node:crypto';

export const LOG_EVENTS = [
  'reserved',
  'reserve_rejected',
  'released',
  'release_rejected',
  'limit_set',
  'corrected',
  'abandoned',
] as const;
export type LogEvent = (typeof LOG_EVENTS)[number];

/** One decided command as a shard's log holds it. Amounts are whole cents and positions whole numbers, as decimal text. */
export interface LogEntry {
  readonly position: string;
  readonly generation: number;
  readonly term: number;
  readonly event: LogEvent;
  readonly issuer: string;
  readonly desk: string;
  readonly token: string;
  readonly reservation: string | null;
  readonly amount: string | null;
  readonly reserved_after: string | null;
  readonly limit_after: string | null;
  /** Why it was rejected, or what an operator said of a correction. */
  readonly reason: string | null;
  /** UTC, with microseconds: `2026-11-30T23:59:59.123456Z`. */
  readonly decided_at: string;
}

/** The fields of an entry in the order in which they are hashed and archived. */
const FIELDS = [
  'position',
  'generation',
  'term',
  'event',
  'issuer',
  'desk',
  'token',
  'reservation',
  'amount',
  'reserved_after',
  'limit_after',
  'reason',
  'decided_at',
] as const satisfies readonly (keyof LogEntry)[];

/** What the first entry of every shard is chained to. */
export const CHAIN_START: Buffer = Buffer.alloc(32);

/** One line of JSON, the same for equal entries whoever read them. */
export function canonicalEntry(entry: LogEntry): string {
  return JSON.stringify(FIELDS.map((field) => entry[field]));
}

/** SHA-256 over all entries of a shard up to this one: equal chains are equal logs. */
export function chainAfter(chain: Buffer, entry: LogEntry): Buffer {
  return createHash('sha256').update(chain).update(canonicalEntry(entry)).digest();
}
