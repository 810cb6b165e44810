import type { Permit } from './sending.ts';

/** A counting semaphore, first come, first served. A free permit is granted in the same turn. */
export class Permits {
  readonly #waiting: ((permit: Permit) => void)[] = [];
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  take(): Permit | Promise<Permit> {
    if (this.#free > 0) {
      this.#free -= 1;
      return this.#permit();
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #permit(): Permit {
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        const next = this.#waiting.shift();
        if (next === undefined) this.#free += 1;
        else next(this.#permit());
      },
    };
  }
}
