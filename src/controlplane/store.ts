import { CapstanError, ExitCode, refusedError } from '../domain/errors.ts';
import type { Contract } from '../domain/contract.ts';
import type {
  CallOptions,
  Compare,
  EtcdPort,
  EtcdReader,
  KeyValue,
  TransactOptions,
  Write,
} from '../etcd/port.ts';
import type { Keys } from './keys.ts';

/** etcd refuses more operations than this in one transaction (`--max-txn-ops`); compares and writes count apart. */
export const TRANSACTION_OPERATIONS_MAX = 128;

/** A record with the revision that a later compare-and-swap names. */
export interface Versioned<T> {
  readonly value: T;
  readonly revision: string;
}

/** The revision of a key that must not exist. */
export const ABSENT = '0';

/** The revision to expect of a record that was read: its own, or absence. */
export const revisionOf = (record: Versioned<unknown> | undefined): string => record?.revision ?? ABSENT;

/** Reads one JSON record. The caller names the type that its key holds (src/controlplane/keys.ts). */
export async function readRecord<T>(
  etcd: EtcdReader,
  key: string,
  options?: CallOptions,
): Promise<Versioned<T> | undefined> {
  const kv = await etcd.get(key, options);
  return kv === undefined ? undefined : recordOf<T>(kv);
}

export interface RecordRange<T> {
  /** By key, in key order. */
  readonly records: ReadonlyMap<string, Versioned<T>>;
  /** The store revision of the whole answer. */
  readonly revision: string;
}

/** Reads every record under a prefix, in one consistent answer. */
export async function rangeRecords<T>(
  etcd: EtcdReader,
  prefix: string,
  options?: CallOptions,
): Promise<RecordRange<T>> {
  const { kvs, revision } = await etcd.range(prefix, options);
  return { records: new Map(kvs.map((kv) => [kv.key, recordOf<T>(kv)])), revision };
}

/** What was parsed before: a view is made anew at each change, mostly of keys that have not changed. */
const parsed = new WeakMap<KeyValue, Versioned<unknown>>();

/** Parses a stored record; one that isn't JSON was not written by Capstan: `record_invalid` (exit 1). */
export function recordOf<T>(kv: KeyValue): Versioned<T> {
  const known = parsed.get(kv);
  if (known !== undefined) return known as Versioned<T>;
  const { key, value, modRevision } = kv;
  try {
    const record = { value: JSON.parse(value) as T, revision: modRevision };
    parsed.set(kv, record);
    return record;
  } catch (error) {
    throw new CapstanError(`etcd holds something at ${key} that is not a record of Capstan`, {
      code: 'record_invalid',
      exit: ExitCode.bug,
      data: { key },
      cause: error,
    });
  }
}

/** Collects what one atomic change expects and writes. Nothing is sent before `commit`. */
export class Transaction {
  readonly #etcd: EtcdPort;
  readonly #compares = new Map<string, Compare>();
  readonly #writes = new Map<string, Write>();

  constructor(etcd: EtcdPort) {
    this.#etcd = etcd;
  }

  /** Demands the revision that was read; `'0'` demands that the key be absent. */
  expect(key: string, revision: string): this {
    const before = this.#compares.get(key);
    if (before !== undefined && before.modRevision !== revision) {
      throw new Error(`one transaction expects both ${before.modRevision} and ${revision} of ${key}`);
    }
    this.#compares.set(key, { key, modRevision: revision });
    return this;
  }

  put(key: string, value: unknown, leaseId?: string): this {
    return this.#write({
      kind: 'put',
      key,
      value: JSON.stringify(value),
      ...(leaseId === undefined ? {} : { leaseId }),
    });
  }

  delete(key: string): this {
    return this.#write({ kind: 'delete', key });
  }

  /** The writes so far; what is left of the 128 is room for more. */
  get size(): number {
    return Math.max(this.#writes.size, this.#compares.size);
  }

  /**
   * True: everything was written. False: a compare failed and nothing was. Throws `transaction_too_large` (exit 4)
   * before anything is sent, and what EtcdPort.transact throws.
   */
  async commit(options?: TransactOptions): Promise<boolean> {
    return (await this.commitAt(options)) !== undefined;
  }

  /** As `commit`, but answers the revision of what was written, or undefined. */
  async commitAt(options?: TransactOptions): Promise<string | undefined> {
    if (this.size > TRANSACTION_OPERATIONS_MAX) {
      throw refusedError(
        `a change of ${this.size} records is more than etcd takes at once (${TRANSACTION_OPERATIONS_MAX})`,
        {
          code: 'transaction_too_large',
          next: 'split the change into smaller ones',
          data: { operations: this.size, operationsMax: TRANSACTION_OPERATIONS_MAX },
        },
      );
    }
    const { succeeded, revision } = await this.#etcd.transact(
      [...this.#compares.values()],
      [...this.#writes.values()],
      options,
    );
    return succeeded ? revision : undefined;
  }

  #write(write: Write): this {
    if (this.#writes.has(write.key)) throw new Error(`one transaction writes ${write.key} twice`);
    this.#writes.set(write.key, write);
    return this;
  }
}

/** The budgets that `capstan init` stored. Throws `estate_missing` (exit 4) when there is no estate. */
export async function readContract(etcd: EtcdReader, keys: Keys): Promise<Contract> {
  return (await readVersionedContract(etcd, keys)).value;
}

/** As `readContract`, for what must hold for this contract and no later one. */
export async function readVersionedContract(etcd: EtcdReader, keys: Keys): Promise<Versioned<Contract>> {
  const contract = await readRecord<Contract>(etcd, keys.contract);
  if (contract === undefined) throw estateMissing(keys);
  return contract;
}

export const estateMissing = (keys: Keys): CapstanError =>
  refusedError(`there is no estate ${keys.name} in this etcd`, {
    code: 'estate_missing',
    next: 'capstan init',
    data: { estate: keys.name },
  });

/** What a lost race reads like; `next` says to look again. */
export const concurrentChange = (what: string): CapstanError =>
  refusedError(`${what} was changed by somebody else at the same time`, {
    code: 'concurrent_change',
    retryable: true,
    next: 'read the current state and decide again',
  });
