/** Callers of one gateway that reserve on the moving shards, each request timed. */
import { randomUUID } from 'node:crypto';
import { Pool } from 'undici';

export interface Sample {
  readonly sentAt: number;
  readonly tookMs: number;
  readonly status: number;
}

export interface Desks {
  /** The samples since the last call. */
  take(): Sample[];
  stop(): Promise<void>;
}

export function openDesks(about: {
  readonly origin: string;
  readonly key: string;
  readonly issuers: readonly string[];
  readonly callers: number;
}): Desks {
  const { origin, key, issuers, callers } = about;
  const pool = new Pool(origin, { connections: callers, pipelining: 1 });
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
  let samples: Sample[] = [];
  const over = new AbortController();
  const call = async (number: number): Promise<void> => {
    for (let n = number; !over.signal.aborted; n += callers) {
      const issuer = issuers[n % issuers.length] ?? '';
      const body = JSON.stringify({ issuer_id: issuer, notional: '1.00', reservation_token: randomUUID() });
      const sentAt = performance.now();
      const response = await pool.request({ method: 'POST', path: '/reservations', headers, body });
      await response.body.dump();
      samples.push({ sentAt, tookMs: performance.now() - sentAt, status: response.statusCode });
    }
  };
  const all = Promise.all(Array.from({ length: callers }, (_, number) => call(number)));
  return {
    take: () => {
      const taken = samples;
      samples = [];
      return taken;
    },
    stop: async () => {
      over.abort();
      await all;
      await pool.close();
    },
  };
}
