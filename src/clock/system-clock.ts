import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Clock } from './clock.ts';

/** This host's clocks and this process's timers. */
export const systemClock: Clock = {
  process: `${hostname()}/${process.pid}`,
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  bootMs: bootClockMs,
  sleep(ms, signal) {
    if (signal?.aborted === true || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal?.addEventListener('abort', end, { once: true });
    });
  },
  after(ms, call) {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
  uuid: () => randomUUID(),
  hex: (bytes) => randomBytes(bytes).toString('hex'),
};

/** From where Postgres reads it; null where there is no /proc. Postgres then skips that clock too. */
function bootClockMs(): number | null {
  try {
    return Math.round(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1_000);
  } catch {
    return null;
  }
}
