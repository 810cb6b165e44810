import { setTimeout as delay } from 'node:timers/promises';
import { CapstanError } from '../../domain/errors.ts';

/** Short, because each wait is part of the pause that callers feel; one small range read each. */
const POLL_MS = 50;
/** After this long nobody is served any faster by asking that often. */
const EAGER_MS = 3_000;
const PATIENT_POLL_MS = 250;

export type Waited<T> =
  | { readonly kind: 'found'; readonly value: T }
  | { readonly kind: 'timed-out'; readonly lastError: unknown }
  | { readonly kind: 'interrupted' };

export interface WaitOptions<T> {
  /** Undefined: not yet. `elapsedMs` counts from the wait's begin, on the monotonic clock. */
  readonly check: (elapsedMs: number) => Promise<T | undefined>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Asks until there is a value. An etcd that is unreachable for a while is asked again until the time is up. */
export async function waitFor<T>({ check, timeoutMs, signal }: WaitOptions<T>): Promise<Waited<T>> {
  const begun = performance.now();
  let lastError: unknown;
  for (;;) {
    if (signal?.aborted === true) return { kind: 'interrupted' };
    const elapsedMs = performance.now() - begun;
    try {
      const value = await check(elapsedMs);
      if (value !== undefined) return { kind: 'found', value };
      lastError = undefined;
    } catch (error) {
      if (!(error instanceof CapstanError && error.code === 'etcd_unreachable')) throw error;
      lastError = error;
    }
    if (performance.now() - begun >= timeoutMs) return { kind: 'timed-out', lastError };
    await nap(elapsedMs < EAGER_MS ? POLL_MS : PATIENT_POLL_MS, signal);
  }
}

async function nap(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  } catch {
    // Aborted: the loop sees it.
  }
}
