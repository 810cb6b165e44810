import type { SimProcess } from './process.ts';

/** The lock of the one row of `cluster_state`, taken before any head's. */
export const CLUSTER_STATE = -1;

interface Wanting {
  readonly got: () => void;
  readonly cancel: () => void;
}

/** The row locks of the shards' heads, first come, first served. */
export class HeadLocks {
  readonly #process: SimProcess;
  readonly #queues = new Map<number, Wanting[]>();

  constructor(process: SimProcess) {
    this.#process = process;
  }

  /** `late`: it could not be had within that time. */
  take(shard: number, timeoutMs: number, got: () => void, late: () => void): void {
    const queue = this.#queues.get(shard);
    if (queue === undefined) {
      this.#queues.set(shard, []);
      got();
      return;
    }
    const wanting: Wanting = {
      got,
      cancel: this.#process.timer(timeoutMs, () => {
        queue.splice(queue.indexOf(wanting), 1);
        late();
      }),
    };
    queue.push(wanting);
  }

  free(shard: number): void {
    const queue = this.#queues.get(shard);
    const next = queue?.shift();
    if (next === undefined) {
      this.#queues.delete(shard);
      return;
    }
    next.cancel();
    next.got();
  }

  /** Several, in order; all or none. */
  takeAll(shards: readonly number[], timeoutMs: number, got: () => void, late: () => void): void {
    const [first, ...rest] = shards;
    if (first === undefined) {
      got();
      return;
    }
    this.take(
      first,
      timeoutMs,
      () =>
        this.takeAll(rest, timeoutMs, got, () => {
          this.free(first);
          late();
        }),
      late,
    );
  }
}
