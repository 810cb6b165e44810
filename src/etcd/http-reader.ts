import { EndpointOrder } from './endpoint-order.ts';
import { outcomeOfFailure, unreachable } from './etcd-errors.ts';
import { postJson } from './http-call.ts';
import type { EtcdOptions, EtcdTls } from './options.ts';
import type { CallOptions, EtcdReader, KeyValue, RangeResult } from './port.ts';
import { prefixEnd } from './prefix-end.ts';
import { type Outcome, raceEndpoints } from './race-endpoints.ts';

/** The part of `/v3/kv/range`'s answer that is read; proto3's JSON leaves out zeros and empty lists. */
interface RangeAnswer {
  readonly header?: { readonly revision?: string };
  readonly kvs?: readonly { readonly key: string; readonly value?: string; readonly mod_revision: string }[];
}

/**
 * Reads etcd over its JSON gateway with Node's own HTTP client: for commands that must start faster than gRPC loads.
 * Linearizable; the same errors as openEtcd. Holds no connection open.
 */
export function openEtcdReader(options: EtcdOptions): EtcdReader {
  return new HttpReader(options);
}

class HttpReader implements EtcdReader {
  readonly #options: EtcdOptions;
  readonly #order: EndpointOrder<string>;
  readonly #closing = new AbortController();
  #token: Promise<string> | undefined;

  constructor(options: EtcdOptions) {
    this.#options = options;
    this.#order = new EndpointOrder([...new Set(options.endpoints)]);
  }

  async get(key: string, options?: CallOptions): Promise<KeyValue | undefined> {
    const { kvs } = await this.#range({ key: base64(Buffer.from(key)) }, options);
    return kvs[0];
  }

  range(prefix: string, options?: CallOptions): Promise<RangeResult> {
    return this.#range({ key: base64(Buffer.from(prefix)), range_end: base64(prefixEnd(prefix)) }, options);
  }

  close(): void {
    this.#closing.abort(new Error('the reader was closed'));
  }

  async #range(body: Record<string, string>, options: CallOptions = {}): Promise<RangeResult> {
    const { endpoints } = this.#options;
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs ?? 2_000;
    const signals = options.signal === undefined ? [] : [options.signal];
    const result = await raceEndpoints<string, RangeResult>({
      endpoints: this.#order.list(),
      timeoutMs,
      staggerMs: Math.min(500, timeoutMs / (2 * endpoints.length)),
      signal: AbortSignal.any([this.#closing.signal, ...signals]),
      run: (url, signal) => this.#attempt({ url, body, timeoutMs, signal }),
    });
    if (result.kind === 'answer') return result.value;
    throw result.kind === 'refused' ? result.error : unreachable(endpoints, result.errors);
  }

  async #attempt(call: {
    url: string;
    body: Record<string, string>;
    timeoutMs: number;
    signal: AbortSignal;
  }): Promise<Outcome<RangeResult>> {
    const { tls } = this.#options;
    try {
      const token = await this.#authenticate(call);
      const answer = await postJson({ ...call, path: '/v3/kv/range', token, tls });
      this.#order.good(call.url);
      return { kind: 'answer', value: rangeResultOf(answer as RangeAnswer) };
    } catch (error) {
      if (!call.signal.aborted) this.#order.bad(call.url);
      return outcomeOfFailure(error);
    }
  }

  /** A token counts on every member; one that a member doesn't know (it restarted) is asked for again by the next call. */
  async #authenticate(call: {
    url: string;
    timeoutMs: number;
    signal: AbortSignal;
  }): Promise<string | undefined> {
    const { username, password, tls } = this.#options;
    if (username === undefined || password === undefined) return undefined;
    this.#token ??= this.#requestToken({ ...call, username, password, tls });
    try {
      return await this.#token;
    } catch (error) {
      this.#token = undefined;
      throw error;
    }
  }

  async #requestToken(call: {
    url: string;
    timeoutMs: number;
    signal: AbortSignal;
    username: string;
    password: string;
    tls: EtcdTls | undefined;
  }): Promise<string> {
    const { username, password, ...where } = call;
    const answer = await postJson({
      ...where,
      path: '/v3/auth/authenticate',
      body: { name: username, password },
    });
    const token = (answer as { token?: string }).token;
    if (token === undefined) throw new Error('etcd answered without a token');
    return token;
  }
}

const base64 = (bytes: Buffer) => bytes.toString('base64');
const text = (encoded: string) => Buffer.from(encoded, 'base64').toString('utf8');

function rangeResultOf({ header, kvs = [] }: RangeAnswer): RangeResult {
  if (header?.revision === undefined) throw new Error('etcd answered without a revision');
  return {
    revision: header.revision,
    kvs: kvs.map(({ key, value = '', mod_revision }) => ({
      key: text(key),
      value: text(value),
      modRevision: mod_revision,
    })),
  };
}
