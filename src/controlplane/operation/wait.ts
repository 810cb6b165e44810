import type { Clock } from '../../clock/clock.ts';
import { CapstanError } from '../../domain/errors.ts';

/** Short, because each wait is part of the pause that callers feel; one small range read each. */
const POLL_MS = 50;
/** After this long nobody is served any faster by asking that often. */
const EAGER_MS = 3_000;
const PATIENT_POLL_MS = 250;

/** Waits that long, or for less if there may be something new to see. Never throws. */
export type Pause = (ms: number, signal: AbortSignal | undefined) => Promise<void>;

export type Waited<T> =
  | { readonly kind: 'found'; readonly value: T }
  | { readonly kind: 'timed-out'; readonly lastError: unknown }
  | { readonly kind: 'interrupted' };

export interface WaitOptions<T> {
  /** Undefined: not yet. `elapsedMs` counts from the wait's begin, on the monotonic clock. */
  readonly check: (elapsedMs: number) => Promise<T | undefined>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
  readonly pause?: Pause | undefined;
}

/** Asks until there is a value. An etcd that is unreachable for a while is asked again until the time is up. */
export async function waitFor<T>(options: WaitOptions<T>): Promise<Waited<T>> {
  const { check, timeoutMs, signal, clock } = options;
  const pause: Pause = options.pause ?? ((ms, until) => clock.sleep(ms, until));
  const begun = clock.monotonicMs();
  let lastError: unknown;
  for (;;) {
    if (signal?.aborted === true) return { kind: 'interrupted' };
    const elapsedMs = clock.monotonicMs() - begun;
    try {
      const value = await check(elapsedMs);
      if (value !== undefined) return { kind: 'found', value };
      lastError = undefined;
    } catch (error) {
      if (!(error instanceof CapstanError && error.code === 'etcd_unreachable')) throw error;
      lastError = error;
    }
    if (clock.monotonicMs() - begun >= timeoutMs) return { kind: 'timed-out', lastError };
    await pause(elapsedMs < EAGER_MS ? POLL_MS : PATIENT_POLL_MS, signal);
  }
}
