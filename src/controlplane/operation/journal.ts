import { type Clock, nowOf } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import { type CapstanError, refusedError } from '../../domain/errors.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { EtcdPort, EtcdReader } from '../../etcd/port.ts';
import type { Keys } from '../keys.ts';
import { commitUntilKnown } from './commit-until-known.ts';
import { takenOver } from './record.ts';
import { rangeRecords, readRecord, recordOf, revisionOf, Transaction, type Versioned } from '../store.ts';

/** A live coordinator may write between the read and the take-over. */
const TAKE_OVER_TRIES = 5;

/** An operation as this coordinator last read or wrote it; its revision is what the next write compares. */
export type HeldOperation = Versioned<OperationRecord>;

export interface JournalWrite {
  /** What the write replaces; undefined creates the operation. */
  readonly held: HeldOperation | undefined;
  readonly next: OperationRecord;
  /** What else is expected and written by the same transaction, or not at all. */
  readonly with?: (transaction: Transaction) => void;
}

/**
 * - `superseded`: someone else has written the operation since it was held; this write isn't its state.
 * - `conflict`: the operation is as held, but another expected record has changed; nothing was written.
 */
export type JournalResult =
  | { readonly kind: 'written'; readonly held: HeldOperation }
  | {
      readonly kind: 'superseded';
      readonly by: OperationRecord | undefined;
      /** A try's reply was lost: this write may have stood for a while before. */
      readonly inDoubt: boolean;
    }
  | { readonly kind: 'conflict' };

/**
 * The operations of an estate. Each write is one transaction that compares the operation's revision, so of two
 * coordinators one is stopped at its next write. When a transaction's reply is lost, nothing else happens before it is
 * known whether the record carries this very write: every write's text is unique (coordinator, step and time), and the
 * same transaction is sent again, so that a late first try can't have a second effect.
 */
export class OperationJournal {
  readonly #etcd: EtcdPort;
  readonly #keys: Keys;
  readonly #clock: Clock;

  constructor({
    etcd,
    keys,
    clock = systemClock,
  }: {
    readonly etcd: EtcdPort;
    readonly keys: Keys;
    readonly clock?: Clock | undefined;
  }) {
    this.#etcd = etcd;
    this.#keys = keys;
    this.#clock = clock;
  }

  /** Throws `etcd_unreachable` when there was no effect, `etcd_outcome_unknown` when that can't be found out in time. */
  async write(change: JournalWrite): Promise<JournalResult> {
    const { held, next } = change;
    const key = this.#keys.operation(next.id);
    const transaction = new Transaction(this.#etcd).expect(key, revisionOf(held)).put(key, next);
    change.with?.(transaction);
    return commitUntilKnown<JournalResult>({
      transaction,
      clock: this.#clock,
      written: (revision) => ({ kind: 'written', held: { value: next, revision } }),
      afterFailedCompare: (inDoubt) => this.#afterFailedCompare(change, inDoubt),
      unknown: {
        message: `it is unknown whether operation ${next.id} entered phase ${next.phase}`,
        next: `capstan operation show ${next.id}`,
        data: { operation: next.id, phase: next.phase },
      },
    });
  }

  /** As `write`; a coordinator that was superseded gets `operation_superseded` (exit 4). */
  async update(change: JournalWrite): Promise<Exclude<JournalResult, { kind: 'superseded' }>> {
    const result = await this.write(change);
    if (result.kind === 'superseded') throw superseded(change.next.id, result.by);
    return result;
  }

  /**
   * Claims the operation for another coordinator. `phaseAfter` says where it goes on, and throws when it can't. The
   * former coordinator's next write fails.
   */
  async takeOver(options: {
    readonly id: string;
    readonly coordinatorId: string;
    /** The one revision from which it may be taken; else `operation_superseded`. Undefined: from whatever it is. */
    readonly onlyAt?: string | undefined;
    /** Added to the operation's approvals. */
    readonly approve?: readonly string[] | undefined;
    readonly phaseAfter: (record: OperationRecord) => string;
    readonly with?: (transaction: Transaction, before: OperationRecord) => void;
  }): Promise<HeldOperation> {
    const { id, coordinatorId, onlyAt, approve = [], phaseAfter } = options;
    let by: OperationRecord | undefined;
    for (let attempt = 0; attempt < TAKE_OVER_TRIES; attempt += 1) {
      const held = await readOperation({ etcd: this.#etcd, keys: this.#keys, id });
      if (onlyAt !== undefined && held.revision !== onlyAt) throw superseded(id, held.value);
      const next = takenOver({
        record: held.value,
        phase: phaseAfter(held.value),
        coordinatorId,
        approve,
        now: nowOf(this.#clock),
      });
      const result = await this.write({
        held,
        next,
        with: (transaction) => options.with?.(transaction, held.value),
      });
      if (result.kind === 'written') return result.held;
      by = result.kind === 'superseded' ? result.by : undefined;
      // It may have been taken over from us already: whoever did so later keeps it.
      if (result.kind === 'superseded' && result.inDoubt) break;
    }
    throw superseded(id, by);
  }

  /** Throws `operation_superseded` (exit 4) when the operation is no longer as this coordinator holds it. */
  async assertHeld(held: HeldOperation): Promise<void> {
    const current = await readRecord<OperationRecord>(this.#etcd, this.#keys.operation(held.value.id));
    if (current?.revision !== held.revision) throw superseded(held.value.id, current?.value);
  }

  async #afterFailedCompare({ held, next }: JournalWrite, inDoubt: boolean): Promise<JournalResult> {
    const kv = await this.#etcd.get(this.#keys.operation(next.id));
    const current = kv === undefined ? undefined : recordOf<OperationRecord>(kv);
    if (revisionOf(current) === revisionOf(held)) return { kind: 'conflict' };
    // An earlier try, whose reply was lost, has made the compare false by its own success.
    if (kv !== undefined && kv.value === JSON.stringify(next))
      return { kind: 'written', held: { value: next, revision: kv.modRevision } };
    return { kind: 'superseded', by: current?.value, inDoubt };
  }
}

/** Throws `operation_not_found` (exit 4). */
export async function readOperation(options: {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly id: string;
}): Promise<HeldOperation> {
  const { etcd, keys, id } = options;
  const found = await readRecord<OperationRecord>(etcd, keys.operation(id));
  if (found !== undefined) return found;
  throw refusedError(`there is no operation ${JSON.stringify(id)}`, {
    code: 'operation_not_found',
    next: 'capstan operation list',
  });
}

/** The newest first; at most `limit`. */
export async function listOperations(options: {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly cluster?: string | undefined;
  readonly limit?: number | undefined;
}): Promise<readonly OperationRecord[]> {
  const { etcd, keys, cluster, limit = 100 } = options;
  const { records } = await rangeRecords<OperationRecord>(etcd, keys.operations);
  return [...records.values()]
    .map(({ value }) => value)
    .filter((record) => cluster === undefined || concerns(record, cluster))
    .toSorted((a, b) => newestFirst(`${a.createdAt} ${a.id}`, `${b.createdAt} ${b.id}`))
    .slice(0, limit);
}

/** A rebalance is listed under every cluster that it moves shards out of or into. */
function concerns({ kind, cluster: own, plan }: OperationRecord, cluster: string): boolean {
  const { clusters } = plan as { readonly clusters?: Readonly<Record<string, unknown>> };
  return (
    own === cluster || (kind === 'rebalance' && clusters !== undefined && Object.hasOwn(clusters, cluster))
  );
}

const newestFirst = (a: string, b: string) => (a < b ? 1 : -Number(a > b));

function superseded(id: string, by: OperationRecord | undefined): CapstanError {
  const who = by === undefined ? 'someone else' : `coordinator ${by.coordinator.id}`;
  return refusedError(`operation ${id} is now driven by ${who}, in phase ${by?.phase ?? 'unknown'}`, {
    code: 'operation_superseded',
    next: `capstan operation show ${id}`,
    data: { operation: id, coordinator: by?.coordinator.id ?? null, phase: by?.phase ?? null },
  });
}
