import type { Clock } from '../../../clock/clock.ts';
import type { VerificationCursor } from '../../../domain/move-records.ts';

const EVERY_MS = 1_000;

/** Passes a cursor on at most once a second: each is a write to etcd. */
export class ProgressNotes {
  readonly #clock: Clock;
  readonly #onProgress: (cursor: VerificationCursor) => Promise<void>;
  #lastMs = -Infinity;

  constructor(clock: Clock, onProgress: (cursor: VerificationCursor) => Promise<void>) {
    this.#clock = clock;
    this.#onProgress = onProgress;
  }

  async note(cursor: VerificationCursor): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lastMs < EVERY_MS) return;
    this.#lastMs = nowMs;
    await this.#onProgress(cursor);
  }
}
