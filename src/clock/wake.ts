import type { Clock } from './clock.ts';

/**
 * The rest of a loop between two looks, which news cuts short. News that comes while nobody rests ends the next rest at
 * once, unless `seen` says that a look began after it. One loop rests at a time.
 */
export class Wake {
  readonly #clock: Pick<Clock, 'after'>;
  #called = false;
  #end: (() => void) | undefined;

  constructor(clock: Pick<Clock, 'after'>) {
    this.#clock = clock;
  }

  call(): void {
    this.#called = true;
    this.#end?.();
  }

  /** A look begins now: whatever was called for before will be in it. */
  seen(): void {
    this.#called = false;
  }

  /** Resolves after that long, or as soon as it is called, or when the signal fires. Never throws. */
  rest(ms: number, signal?: AbortSignal): Promise<void> {
    if (this.#called || signal?.aborted === true || ms <= 0) {
      this.#called = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        signal?.removeEventListener('abort', end);
        this.#end = undefined;
        this.#called = false;
        resolve();
      };
      const cancel = this.#clock.after(ms, end);
      signal?.addEventListener('abort', end, { once: true });
      this.#end = end;
    });
  }
}
