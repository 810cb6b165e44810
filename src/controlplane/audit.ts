import { type Clock, timestampOf } from '../clock/clock.ts';
import { systemClock } from '../clock/system-clock.ts';
import type { AuditRecord } from '../domain/operation-records.ts';
import type { EtcdPort, EtcdReader } from '../etcd/port.ts';
import type { Keys } from './keys.ts';
import { rangeRecords, Transaction } from './store.ts';

/** What the caller says of a change; the id and the time are given here. */
export type AuditEntry = Pick<AuditRecord, 'actor' | 'action' | 'target'> &
  Partial<Omit<AuditRecord, 'id' | 'at' | 'actor' | 'action' | 'target'>>;

const TIME_DIGITS = 11;
/** By clock, for each stands for one process. */
const lastIds = new WeakMap<Clock, { readonly ms: number; readonly sequence: number }>();

/**
 * An id that sorts by time: base-32 milliseconds, a sequence within the millisecond of this process, 40 random bits.
 * A wall clock that steps back doesn't make this process's ids go back.
 */
export function auditId(clock: Clock = systemClock, nowMs: number = clock.wallMs()): string {
  const lastId = lastIds.get(clock) ?? { ms: 0, sequence: 0 };
  const ms = Math.max(nowMs, lastId.ms);
  const sequence = ms === lastId.ms ? lastId.sequence + 1 : 0;
  lastIds.set(clock, { ms, sequence });
  const time = ms.toString(32).padStart(TIME_DIGITS, '0');
  return `${time}-${sequence.toString(32).padStart(4, '0')}-${clock.hex(5)}`;
}

const MAX_DIGIT = 'v';

/** The id before which no entry of this time or later sorts. */
const idFloor = (ms: number) => Math.max(0, ms).toString(32).padStart(TIME_DIGITS, '0');

/** The full record of an entry, as it will be stored. */
export function auditRecordOf(entry: AuditEntry, clock: Clock = systemClock): AuditRecord {
  return {
    id: auditId(clock),
    at: timestampOf(clock),
    operation: null,
    planHash: null,
    before: null,
    after: null,
    outcome: 'done',
    reason: null,
    ...entry,
  };
}

/** Adds the entry to a change's own transaction: the change and its record are there together or not at all. */
export function auditIn(
  transaction: Transaction,
  keys: Keys,
  entry: AuditEntry,
  clock: Clock = systemClock,
): AuditRecord {
  const record = auditRecordOf(entry, clock);
  const key = keys.auditEntry(record.id);
  transaction.expect(key, '0').put(key, record);
  return record;
}

/** Records something that has no transaction of its own: a refusal, a failure. Throws what EtcdPort.transact throws. */
export async function appendAudit(
  etcd: EtcdPort,
  keys: Keys,
  entry: AuditEntry,
  clock: Clock = systemClock,
): Promise<AuditRecord> {
  const transaction = new Transaction(etcd);
  const record = auditIn(transaction, keys, entry, clock);
  // The key is this entry's own and is never deleted: a second try finds it there.
  await transaction.commit({ repeatable: true });
  return record;
}

export interface AuditQuery {
  /** The newest that are answered; default 100. */
  readonly limit?: number;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly target?: string;
  readonly action?: string;
  readonly actor?: string;
  readonly operation?: string;
}

/** The audit log, oldest first; with a limit, the newest of those that match. */
export async function listAudit(
  etcd: EtcdReader,
  keys: Keys,
  query: AuditQuery = {},
): Promise<readonly AuditRecord[]> {
  const { limit = 100, sinceMs = 0, untilMs = Infinity } = query;
  const { records } = await rangeRecords<AuditRecord>(etcd, keys.audit);
  const from = idFloor(sinceMs);
  const to = untilMs === Infinity ? MAX_DIGIT.repeat(TIME_DIGITS + 1) : idFloor(untilMs + 1);
  const matching = [...records.values()]
    .map(({ value }) => value)
    .filter(
      (entry) =>
        entry.id >= from &&
        entry.id < to &&
        equals(query.target, entry.target) &&
        equals(query.action, entry.action) &&
        equals(query.actor, entry.actor) &&
        equals(query.operation, entry.operation),
    );
  return matching.slice(Math.max(0, matching.length - limit));
}

const equals = (wanted: string | undefined, value: string | null) => wanted === undefined || wanted === value;
