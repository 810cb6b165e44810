import { setTimeout as delay } from 'node:timers/promises';
import type { EndpointOrder } from './endpoint-order.ts';
import { outcomeOfFailure } from './etcd-errors.ts';
import { deadline, type Etcd3Endpoint } from './etcd3-endpoint.ts';
import type { LivenessLease } from './port.ts';
import { type Outcome, raceEndpoints } from './race-endpoints.ts';

export interface LivenessOptions {
  readonly id: string;
  readonly ttlMs: number;
  readonly order: EndpointOrder<Etcd3Endpoint>;
  readonly timeoutMs: number;
  readonly staggerMs: number;
}

/**
 * Keeps a lease alive, each time by a short stream of its own so that a silent member delays one beat and no more. It
 * counts as lost when etcd says so, or when nothing was heard for a whole TTL.
 */
export class Etcd3Liveness implements LivenessLease {
  readonly id: string;
  readonly lost: Promise<void>;
  readonly #options: LivenessOptions;
  readonly #closing = new AbortController();

  constructor(options: LivenessOptions) {
    this.id = options.id;
    this.#options = options;
    this.lost = this.#beat();
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    const { order, timeoutMs, staggerMs } = this.#options;
    // Best effort: a lease that can't be revoked ends by itself.
    await raceEndpoints({
      endpoints: order.list(),
      timeoutMs,
      staggerMs,
      run: async (endpoint): Promise<Outcome<boolean>> => {
        try {
          await endpoint.client.leaseClient.leaseRevoke({ ID: this.id }, deadline(timeoutMs));
          return { kind: 'answer', value: true };
        } catch (error) {
          return outcomeOfFailure(error);
        }
      },
    });
  }

  async #beat(): Promise<void> {
    const { ttlMs, order, timeoutMs, staggerMs } = this.#options;
    const { signal } = this.#closing;
    let provenAt = performance.now();
    while (!signal.aborted && performance.now() - provenAt < ttlMs) {
      const result = await raceEndpoints({
        endpoints: order.list(),
        timeoutMs: Math.min(timeoutMs, ttlMs),
        staggerMs,
        signal,
        run: (endpoint) => keepAliveOnce(endpoint, this.id, timeoutMs),
      });
      if (result.kind === 'answer') {
        if (result.value === 0) return;
        order.good(result.endpoint);
        provenAt = performance.now();
      } else if (result.kind === 'refused') {
        return;
      }
      await delay(ttlMs / 3, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** The remaining TTL in seconds; 0 when the lease is gone. */
async function keepAliveOnce(
  endpoint: Etcd3Endpoint,
  id: string,
  timeoutMs: number,
): Promise<Outcome<number>> {
  try {
    const stream = await endpoint.client.leaseClient.leaseKeepAlive(deadline(timeoutMs));
    return await new Promise<Outcome<number>>((resolve) => {
      stream.on('error', (error) => resolve(outcomeOfFailure(error)));
      stream.on('end', () => resolve({ kind: 'lost', error: new Error('etcd ended the lease stream') }));
      stream.on('data', ({ TTL }) => {
        resolve({ kind: 'answer', value: Number(TTL) });
        // Ended, not cancelled: etcd3 takes a cancelled call for a failed member and drops its every connection, watches
        // included. A stream that isn't answered ends at its deadline.
        stream.end();
      });
      stream.write({ ID: id });
    });
  } catch (error) {
    return outcomeOfFailure(error);
  }
}
