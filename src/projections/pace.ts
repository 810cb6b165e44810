/** How often a cluster's log is asked for. */
export interface PaceOptions {
  /** While something comes. */
  readonly everyMs: number;
  /** While nothing does. */
  readonly idleEveryMs: number;
}

const EASING = 1.5;

/** The rest between two questions: short while something comes, easing off while nothing does, none while more waits. */
export class Pace {
  readonly #options: PaceOptions;
  #restMs: number;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#restMs = options.everyMs;
  }

  /** After an answer that brought so many entries. `more`: it could not bring all. */
  after({ entries, more }: { readonly entries: number; readonly more: boolean }): number {
    const { everyMs, idleEveryMs } = this.#options;
    this.#restMs = entries > 0 ? everyMs : Math.min(idleEveryMs, this.#restMs * EASING);
    return more ? 0 : Math.round(this.#restMs);
  }

  /** After nobody answered. */
  afterFailure(): number {
    this.#restMs = Math.min(this.#options.idleEveryMs, this.#restMs * EASING);
    return Math.round(this.#restMs);
  }
}
