import type { IWatchResponse } from 'etcd3';
import { setTimeout as delay } from 'node:timers/promises';
import type { EndpointOrder } from './endpoint-order.ts';
import { type Etcd3Endpoint, keyValueOf } from './etcd3-endpoint.ts';
import { outcomeOfFailure } from './etcd-errors.ts';
import type { Watch, WatchEvent, WatchHandlers } from './port.ts';
import { prefixEnd } from './prefix-end.ts';

const PROVE_EVERY_MS = 1_000;
const BACKOFF_MS = [20, 100, 250, 500] as const;

export interface WatchOptions {
  readonly prefix: string;
  readonly handlers: WatchHandlers;
  readonly order: EndpointOrder<Etcd3Endpoint>;
  readonly timeoutMs: number;
}

/**
 * Follows one prefix over any number of breaks. Each round hangs on one endpoint: it lists there (linearizable), opens a
 * stream from the next revision, and every second demands two proofs: a linearizable read through the same member (a
 * member that is cut off from its peers keeps its streams open and silent) and an answer on the stream itself. Without
 * both, or at any error, cancellation or compaction, the round ends and the next begins with a new list elsewhere.
 */
export class Etcd3Watch implements Watch {
  readonly #options: WatchOptions;
  readonly #closing = new AbortController();
  readonly #first = Promise.withResolvers<void>();
  #done: Promise<void> = Promise.resolve();
  #lastError: unknown;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** Resolves at the first snapshot; rejects, and stops, when none came within the deadline. */
  async open(): Promise<this> {
    this.#done = this.#run();
    const { timeoutMs } = this.#options;
    const late = setTimeout(
      () => this.#first.reject(this.#lastError ?? new Error(`no list within ${timeoutMs} ms`)),
      timeoutMs,
    );
    try {
      await this.#first.promise;
      return this;
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    let failures = 0;
    while (!signal.aborted) {
      const endpoint = this.#options.order.list()[0];
      if (endpoint === undefined) throw new Error('an adapter without endpoints was opened');
      const startedAt = performance.now();
      try {
        await this.#follow(endpoint);
      } catch (error) {
        if (signal.aborted) return;
        this.#options.order.bad(endpoint);
        this.#lastError = error;
        // Before the first list a refusal (a wrong password) is the caller's answer; later it may be mended.
        if (outcomeOfFailure(error).kind === 'refused') this.#first.reject(error);
        this.#options.handlers.onBreak?.(error);
      }
      failures = performance.now() - startedAt > 5_000 ? 0 : failures + 1;
      const pauseMs = BACKOFF_MS[Math.min(failures, BACKOFF_MS.length - 1)];
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #follow(endpoint: Etcd3Endpoint): Promise<void> {
    const { prefix, handlers, order, timeoutMs } = this.#options;
    const round = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, round.signal]);
    const patienceMs = Math.max(200, timeoutMs / 2);
    const listedAt = performance.now();
    const snapshot = await within(patienceMs, signal, endpoint.range(prefix, patienceMs));
    order.good(endpoint);
    handlers.onSnapshot(snapshot);
    handlers.onProof?.(listedAt);
    this.#first.resolve();

    const opening = endpoint.client.watchClient.watch();
    opening.then((late) => signal.aborted && late.cancel()).catch(() => undefined);
    const stream = await within(patienceMs, signal, opening);
    const broken = Promise.withResolvers<never>();
    broken.promise.catch(() => undefined);
    let progress = Promise.withResolvers<void>();
    stream.on('error', (error) => broken.reject(error));
    stream.on('end', () => broken.reject(new Error('etcd ended the watch stream')));
    stream.on('data', (response) => {
      try {
        if (response.canceled) throw new Error(`etcd cancelled the watch: ${reasonOf(response)}`);
        if (response.created) return;
        if (response.events.length === 0) progress.resolve();
        else handlers.onEvents(response.events.map(eventOf), response.header.revision);
      } catch (error) {
        broken.reject(error);
      }
    });
    stream.write({
      create_request: {
        key: Buffer.from(prefix),
        range_end: prefixEnd(prefix),
        start_revision: String(BigInt(snapshot.revision) + 1n),
      },
    });
    const prove = async () => {
      for (;;) {
        await delay(PROVE_EVERY_MS, undefined, { signal });
        const provenAt = performance.now();
        await within(patienceMs, signal, endpoint.prove(prefix, patienceMs));
        order.good(endpoint);
        progress = Promise.withResolvers<void>();
        stream.write({ progress_request: {} });
        await within(patienceMs, signal, progress.promise);
        handlers.onProof?.(provenAt);
      }
    };
    try {
      await Promise.race([broken.promise, prove()]);
    } finally {
      round.abort();
      stream.cancel();
    }
  }
}

function within<T>(ms: number, signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const late = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  work.then(resolve, reject);
  return promise.finally(() => {
    clearTimeout(late);
    signal.removeEventListener('abort', onAbort);
  });
}

const reasonOf = ({ compact_revision, cancel_reason }: IWatchResponse) =>
  compact_revision === '0'
    ? cancel_reason || 'no reason given'
    : `revisions up to ${compact_revision} are compacted`;

const eventOf = ({ type, kv }: IWatchResponse['events'][number]): WatchEvent =>
  isDelete(type)
    ? { kind: 'delete', key: kv.key.toString('utf8'), modRevision: kv.mod_revision }
    : { kind: 'put', kv: keyValueOf(kv) };

/** etcd3's types say `Delete`, the wire says `DELETE`. */
const isDelete = (type: string) => type.toUpperCase() === 'DELETE';
