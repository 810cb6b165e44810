import { CompareResult, CompareTarget, type IRequestOp, type ITxnRequest } from 'etcd3';
import { EndpointOrder } from './endpoint-order.ts';
import { deadline, Etcd3Endpoint } from './etcd3-endpoint.ts';
import { Etcd3Liveness } from './etcd3-liveness.ts';
import { Etcd3Watch } from './etcd3-watch.ts';
import { outcomeOfFailure, outcomeUnknown, unreachable } from './etcd-errors.ts';
import type { EtcdOptions } from './options.ts';
import type {
  CallOptions,
  Compare,
  EndpointStatus,
  EtcdPort,
  KeyValue,
  LivenessLease,
  RangeResult,
  TransactionResult,
  TransactOptions,
  Watch,
  WatchHandlers,
  Write,
} from './port.ts';
import { type Outcome, raceEndpoints } from './race-endpoints.ts';

/** A write goes only through an endpoint that answered this recently; another is asked for a proof first. */
const PROOF_FRESH_MS = 1_000;

/**
 * Opens etcd over gRPC. Connects lazily: an etcd that can't be reached shows at the first call, as `etcd_unreachable`
 * (exit 7) within the call's time. A user that etcd refuses is `etcd_denied` (exit 7).
 */
export async function openEtcd(options: EtcdOptions): Promise<EtcdPort> {
  return new Etcd3Adapter(options);
}

class Etcd3Adapter implements EtcdPort {
  readonly #endpoints: readonly Etcd3Endpoint[];
  readonly #order: EndpointOrder<Etcd3Endpoint>;
  readonly #timeoutMs: number;

  constructor({ endpoints, username, password, tls, timeoutMs = 2_000 }: EtcdOptions) {
    this.#timeoutMs = timeoutMs;
    this.#endpoints = [...new Set(endpoints)].map(
      (url) => new Etcd3Endpoint({ url, username, password, tls, timeoutMs }),
    );
    this.#order = new EndpointOrder(this.#endpoints);
  }

  get(key: string, options?: CallOptions): Promise<KeyValue | undefined> {
    return this.#read(options, (endpoint, timeoutMs) => endpoint.get(key, timeoutMs));
  }

  range(prefix: string, options?: CallOptions): Promise<RangeResult> {
    return this.#read(options, (endpoint, timeoutMs) => endpoint.range(prefix, timeoutMs));
  }

  async transact(
    compares: readonly Compare[],
    writes: readonly Write[],
    options: TransactOptions = {},
  ): Promise<TransactionResult> {
    const { repeatable = false } = options;
    const endsAt = performance.now() + (options.timeoutMs ?? this.#timeoutMs);
    const probe = compares[0]?.key ?? writes[0]?.key;
    const first = this.#order.list()[0];
    if (first !== undefined && probe !== undefined && this.#order.provenMsAgo(first) > PROOF_FRESH_MS) {
      await this.#read(options, (endpoint, timeoutMs) => endpoint.prove(probe, timeoutMs));
    }
    const timeoutMs = Math.max(1, endsAt - performance.now());
    const request = transactionOf(compares, writes);
    const result = await raceEndpoints<Etcd3Endpoint, TransactionResult>({
      endpoints: this.#order.list(),
      timeoutMs,
      staggerMs: repeatable || appliesOnce(compares, writes) ? this.#staggerMs(timeoutMs) : undefined,
      signal: options.signal,
      settles: (value, othersInDoubt) => value.succeeded || repeatable || !othersInDoubt,
      run: (endpoint) =>
        this.#attempt(endpoint, async () => {
          const { succeeded, header } = await endpoint.client.kv.txn(request, deadline(timeoutMs));
          return { succeeded, revision: header.revision };
        }),
    });
    if (result.kind === 'answer') return result.value;
    if (result.kind === 'refused') throw result.error;
    throw result.inDoubt
      ? outcomeUnknown(this.#urls(), result.errors)
      : unreachable(this.#urls(), result.errors);
  }

  async watch(prefix: string, handlers: WatchHandlers): Promise<Watch> {
    const watch = new Etcd3Watch({ prefix, handlers, order: this.#order, timeoutMs: this.#timeoutMs });
    try {
      return await watch.open();
    } catch (error) {
      const outcome = outcomeOfFailure(error);
      throw outcome.kind === 'refused' ? outcome.error : unreachable(this.#urls(), [error]);
    }
  }

  async grantLiveness(ttlMs: number): Promise<LivenessLease> {
    const ttl = Math.ceil(ttlMs / 1_000);
    // A grant whose reply is lost leaves a lease without keys, which ends by itself: trying again is safe.
    const { ID } = await this.#read(undefined, (endpoint, timeoutMs) =>
      endpoint.client.leaseClient.leaseGrant({ TTL: ttl }, deadline(timeoutMs)),
    );
    return new Etcd3Liveness({
      id: ID,
      ttlMs: ttl * 1_000,
      order: this.#order,
      timeoutMs: this.#timeoutMs,
      staggerMs: this.#staggerMs(this.#timeoutMs),
    });
  }

  status(options: CallOptions = {}): Promise<readonly EndpointStatus[]> {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    return Promise.all(this.#endpoints.map((endpoint) => endpoint.status(timeoutMs)));
  }

  close(): void {
    for (const endpoint of this.#endpoints) endpoint.close();
  }

  async #read<T>(
    options: CallOptions = {},
    call: (endpoint: Etcd3Endpoint, timeoutMs: number) => Promise<T>,
  ): Promise<T> {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    const result = await raceEndpoints<Etcd3Endpoint, T>({
      endpoints: this.#order.list(),
      timeoutMs,
      staggerMs: this.#staggerMs(timeoutMs),
      signal: options.signal,
      run: (endpoint) => this.#attempt(endpoint, () => call(endpoint, timeoutMs)),
    });
    if (result.kind === 'answer') return result.value;
    throw result.kind === 'refused' ? result.error : unreachable(this.#urls(), result.errors);
  }

  /** Keeps book on the endpoint: one that is still silent when the next is tried is suspected from then on. */
  async #attempt<T>(endpoint: Etcd3Endpoint, call: () => Promise<T>): Promise<Outcome<T>> {
    const silent = setTimeout(() => this.#order.bad(endpoint), this.#staggerMs(this.#timeoutMs));
    try {
      const value = await call();
      this.#order.good(endpoint);
      return { kind: 'answer', value };
    } catch (error) {
      const outcome = outcomeOfFailure(error);
      if (outcome.kind === 'refused') this.#order.good(endpoint);
      else this.#order.bad(endpoint);
      return outcome;
    } finally {
      clearTimeout(silent);
    }
  }

  #staggerMs(timeoutMs: number): number {
    return Math.min(500, timeoutMs / (2 * this.#endpoints.length));
  }

  #urls(): readonly string[] {
    return this.#endpoints.map(({ url }) => url);
  }
}

/**
 * Whether a transaction that is sent twice can be carried out once at most: it compares the revision of a key that it
 * also writes, and a key never has the same revision twice. Absence is no such proof: what was created and then deleted
 * by somebody else is absent again.
 */
function appliesOnce(compares: readonly Compare[], writes: readonly Write[]): boolean {
  const written = new Set(writes.map(({ key }) => key));
  return compares.some(({ key, modRevision }) => modRevision !== '0' && written.has(key));
}

function transactionOf(compares: readonly Compare[], writes: readonly Write[]): ITxnRequest {
  return {
    compare: compares.map(({ key, modRevision }) => ({
      key: Buffer.from(key),
      target: CompareTarget.Mod,
      result: CompareResult.Equal,
      mod_revision: modRevision,
    })),
    success: writes.map((write): IRequestOp => {
      const key = Buffer.from(write.key);
      if (write.kind === 'delete') return { request_delete_range: { key } };
      return {
        request_put: {
          key,
          value: Buffer.from(write.value),
          ...(write.leaseId ? { lease: write.leaseId } : {}),
        },
      };
    }),
  };
}
