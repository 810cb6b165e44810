interface Waiter {
  readonly wanted: () => number;
  readonly resolve: (granted: number) => void;
}

/** What an idle pace saves up, as a part of a second: enough to fill what one round trip to the leader lets pass. */
const SAVED_SECONDS = 0.25;

/**
 * A token bucket that is shared in turns. Who waits is served first come, first served: one command a turn while others
 * wait, so a hot shard leaves the rest their part, and as many as have been saved up for the only one. Commands that nobody
 * waits for any more take nothing.
 */
export class Pace {
  readonly #now: () => number;
  readonly #waiting: Waiter[] = [];
  #perSecond: number;
  #tokens = 0;
  #filledAtMs: number;
  #timer: NodeJS.Timeout | undefined;

  /** `now`: monotonic milliseconds. */
  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.#perSecond = perSecond;
    this.#now = now;
    this.#filledAtMs = now();
  }

  set perSecond(perSecond: number) {
    if (perSecond === this.#perSecond) return;
    this.#fill();
    this.#perSecond = perSecond;
  }

  /** How many commands may be sent; asked of `wanted` when the turn comes. 0: it wanted nothing any more. */
  take(wanted: () => number): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#waiting.push({ wanted, resolve });
    this.#serve();
    return promise;
  }

  /** What was granted and not used. */
  giveBack(commands: number): void {
    this.#tokens += commands;
    this.#serve();
  }

  /** Lets everybody go at once: there is no pace any more. */
  end(): void {
    clearTimeout(this.#timer);
    for (const { resolve } of this.#waiting.splice(0)) resolve(Infinity);
  }

  #serve(): void {
    clearTimeout(this.#timer);
    this.#fill();
    while (this.#tokens >= 1) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      const fair = this.#waiting.length > 0 ? 1 : Math.floor(this.#tokens);
      const granted = Math.min(next.wanted(), fair);
      this.#tokens -= granted;
      next.resolve(granted);
    }
    if (this.#waiting.length === 0) return;
    const untilNextMs = ((1 - this.#tokens) / this.#perSecond) * 1_000;
    this.#timer = setTimeout(() => this.#serve(), Math.max(1, untilNextMs));
  }

  #fill(): void {
    const now = this.#now();
    const gained = ((now - this.#filledAtMs) / 1_000) * this.#perSecond;
    const most = Math.max(1, this.#perSecond * SAVED_SECONDS);
    this.#tokens = Math.min(most, this.#tokens + gained);
    this.#filledAtMs = now;
  }
}
