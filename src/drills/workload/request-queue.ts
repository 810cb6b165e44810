import type { PlannedRequest } from './types.ts';

/** Requests whose time has come, until a process of their region is free. Bounded: what finds no room is left out. */
export class RequestQueue {
  readonly #most: number;
  readonly #waiting: ((request: PlannedRequest | undefined) => void)[] = [];
  #requests: PlannedRequest[] = [];
  #ended = false;

  constructor(most: number) {
    this.#most = most;
  }

  /** False: every process is busy and the queue is full. */
  offer(request: PlannedRequest): boolean {
    const taker = this.#waiting.shift();
    if (taker !== undefined) taker(request);
    else if (this.#requests.length < this.#most) this.#requests.push(request);
    else return false;
    return true;
  }

  /** The next one; undefined once the queue has ended. */
  take(): Promise<PlannedRequest | undefined> {
    const next = this.#requests.shift();
    if (next !== undefined || this.#ended) return Promise.resolve(next);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** What nobody has taken yet is dropped. */
  end(): void {
    this.#ended = true;
    this.#requests = [];
    for (const taker of this.#waiting.splice(0)) taker(undefined);
  }
}
