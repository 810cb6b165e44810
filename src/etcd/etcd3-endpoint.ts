import { Etcd3, type IOptions } from 'etcd3';
import { messageOf } from '../domain/errors.ts';
import type { EtcdTls } from './options.ts';
import type { EndpointStatus, KeyValue, RangeResult } from './port.ts';
import { prefixEnd } from './prefix-end.ts';

export interface EndpointOptions {
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: EtcdTls | undefined;
  readonly timeoutMs: number;
}

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

const silentEvent = () => ({ dispose: () => undefined });
const neverAborted = new AbortController().signal;

/**
 * etcd3's own retries and circuit breaker are switched off: a breaker that is open looks like a lost lease, and a retry
 * hides whether a transaction was sent. Failover is raceEndpoints' work.
 */
const passThrough: Policy = {
  _altReturn: undefined as never,
  execute: async (fn, signal = neverAborted) => fn({ signal }),
  onSuccess: silentEvent,
  onFailure: silentEvent,
};

/** One etcd member as a client of its own, so that a silent member can be left at once. */
export class Etcd3Endpoint {
  readonly url: string;
  readonly client: Etcd3;

  constructor({ url, username, password, tls, timeoutMs }: EndpointOptions) {
    this.url = url;
    this.client = new Etcd3({
      hosts: url,
      ...(username === undefined || password === undefined
        ? {}
        : { auth: { username, password, callOptions: () => ({ deadline: Date.now() + timeoutMs }) } }),
      ...(tls === undefined
        ? {}
        : {
            credentials: {
              rootCertificate: tls.ca,
              ...(tls.key === undefined ? {} : { privateKey: tls.key }),
              ...(tls.cert === undefined ? {} : { certChain: tls.cert }),
            },
          }),
      grpcOptions: {
        // etcd answers keepalives more frequent than 5 s with "too many pings".
        'grpc.keepalive_time_ms': 6_000,
        'grpc.keepalive_timeout_ms': 2_000,
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 1_000,
        // A reset channel must get a new connection, never a dead one out of the process-wide pool.
        'grpc.use_local_subchannel_pool': 1,
        'grpc.max_receive_message_length': 64 * 1024 * 1024,
        'grpc.enable_http_proxy': 0,
      },
      faultHandling: { global: passThrough, host: () => passThrough },
    });
  }

  async get(key: string, timeoutMs: number): Promise<KeyValue | undefined> {
    const answer = await this.client.kv.range({ key: Buffer.from(key) }, deadline(timeoutMs));
    return answer.kvs.map(keyValueOf)[0];
  }

  async range(prefix: string, timeoutMs: number): Promise<RangeResult> {
    const request = { key: Buffer.from(prefix), range_end: prefixEnd(prefix) };
    const answer = await this.client.kv.range(request, deadline(timeoutMs));
    return { kvs: answer.kvs.map(keyValueOf), revision: answer.header.revision };
  }

  /** A linearizable read that transfers nothing: proves that this member is part of a quorum now. */
  async prove(key: string, timeoutMs: number): Promise<void> {
    await this.client.kv.range({ key: Buffer.from(key), count_only: true }, deadline(timeoutMs));
  }

  /** What this member says of itself; one that doesn't answer is a row with its error, never a rejection. */
  async status(timeoutMs: number): Promise<EndpointStatus> {
    const startedAt = performance.now();
    try {
      const answer = await this.client.maintenance.status(deadline(timeoutMs));
      return {
        endpoint: this.url,
        reachable: true,
        memberId: BigInt(answer.header.member_id).toString(16),
        leaderId: answer.leader === '0' ? null : BigInt(answer.leader).toString(16),
        raftTerm: answer.raftTerm,
        dbSizeBytes: answer.dbSize,
        latencyMs: Math.round(performance.now() - startedAt),
        version: answer.version,
        error: null,
      };
    } catch (error) {
      const none = { memberId: null, leaderId: null, raftTerm: null, dbSizeBytes: null };
      return {
        endpoint: this.url,
        reachable: false,
        ...none,
        latencyMs: null,
        version: null,
        error: messageOf(error),
      };
    }
  }

  close(): void {
    this.client.close();
  }
}

export const deadline = (timeoutMs: number): { deadline: number } => ({ deadline: Date.now() + timeoutMs });

export const keyValueOf = (kv: { key: Buffer; value: Buffer; mod_revision: string }): KeyValue => ({
  key: kv.key.toString('utf8'),
  value: kv.value.toString('utf8'),
  modRevision: kv.mod_revision,
});
