import { Pool } from 'undici';
import { type Figures, percentile } from './stats.ts';

export interface Call {
  readonly path: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface LoadOptions {
  readonly origin: string;
  readonly callers: number;
  readonly durationMs: number;
  /** Makes the next call of one caller; `n` counts over all callers. */
  readonly next: (caller: number, n: number) => Call;
}

export interface LoadResult extends Figures {
  readonly statuses: Readonly<Record<number, number>>;
}

/** Closed loop: each caller sends its next request when the last one was answered. */
export async function runLoad({ origin, callers, durationMs, next }: LoadOptions): Promise<LoadResult> {
  const pool = new Pool(origin, { connections: callers, pipelining: 1 });
  const samples: number[] = [];
  const statuses: Record<number, number> = {};
  const started = performance.now();
  const until = started + durationMs;
  let n = 0;
  const caller = async (id: number): Promise<void> => {
    while (performance.now() < until) {
      const { path, body, headers } = next(id, n++);
      const sent = performance.now();
      const response = await pool.request({ method: 'POST', path, body, headers });
      await response.body.dump();
      samples.push(performance.now() - sent);
      statuses[response.statusCode] = (statuses[response.statusCode] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, id) => caller(id)));
  const seconds = (performance.now() - started) / 1_000;
  await pool.close();
  return {
    perSecond: samples.length / seconds,
    p50Ms: percentile(samples, 0.5),
    p99Ms: percentile(samples, 0.99),
    statuses,
  };
}
