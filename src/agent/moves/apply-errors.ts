const FIRST_PAUSE_MS = 1_000;
const PAUSE_MAX_MS = 30_000;
/** One that has applied for so long since it was tried again doesn't stop at the same error. */
const OVER_AFTER_MS = 2_000;

/**
 * A worker that meets an error disables its subscription, also when only its connection broke. It is tried again, at longer and
 * longer intervals: nothing is skipped by that, and an error that stays is shown all the time. Time is an input.
 */
export class ApplyErrors {
  #seen = 0;
  #standing = 0;
  #pauseMs = 0;
  #againAtMs = -Infinity;

  /** Whether the subscription may apply now. `errors`: as Postgres counts them since it was made. */
  mayApply(
    found: { readonly enabled: boolean; readonly applies: boolean; readonly errors: number },
    nowMs: number,
  ): boolean {
    if (found.errors > this.#seen) {
      this.#pauseMs = Math.min(PAUSE_MAX_MS, Math.max(FIRST_PAUSE_MS, this.#pauseMs * 2));
      this.#againAtMs = nowMs + this.#pauseMs;
      this.#standing = found.errors;
    }
    this.#seen = found.errors;
    if (found.enabled && found.applies && nowMs >= this.#againAtMs + OVER_AFTER_MS) {
      this.#standing = 0;
      this.#pauseMs = 0;
    }
    return found.enabled || nowMs >= this.#againAtMs;
  }

  /** How many there were, while the last one isn't known to be over; 0: none. */
  get standing(): number {
    return this.#standing;
  }
}
