/**
 * The arithmetic of a leader's right. Times are this host's boot clock in milliseconds (it counts on while the process is
 * stopped, while its event loop stalls and while the host sleeps), read before the renewal was sent: etcd can only have
 * taken it later, so the right that is counted ends before the one that a coordinator waits out.
 */
export interface LeaseTerms {
  readonly ttlMs: number;
  readonly marginMs: number;
}

/** The moment at which decisions must have stopped, if the renewal sent at `sentAtMs` is known to have succeeded. */
export const rightEndsAt = (sentAtMs: number, { ttlMs, marginMs }: LeaseTerms): number =>
  sentAtMs + ttlMs - marginMs;

/** What is left of it; zero or less: nothing may be extended by it any more. */
export const rightLeftMs = (endsAtMs: number, nowMs: number): number => Math.max(0, endsAtMs - nowMs);

/**
 * When to send the next renewal: at the cadence, counted from the last one's sending, so that a slow answer doesn't eat
 * into the right; at once when that moment has passed.
 */
export const renewInMs = (sentAtMs: number, nowMs: number, renewEveryMs: number): number =>
  Math.max(0, sentAtMs + renewEveryMs - nowMs);
