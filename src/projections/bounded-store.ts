import { setTimeout as delay } from 'node:timers/promises';
import { unreachableError } from '../domain/errors.ts';
import type { ProjectionStore } from './store-port.ts';

export interface BoundedStoreOptions {
  readonly open: () => Promise<ProjectionStore>;
  /** Of each call but a rebuild. */
  readonly deadlineMs: number;
  readonly rebuildDeadlineMs: number;
}

/**
 * A store whose every call ends in time. One that is late says nothing of whether it happened (the watermark does): its connections are
 * left behind, and the next call opens others.
 */
export class BoundedStore implements ProjectionStore {
  readonly #options: BoundedStoreOptions;
  #store: Promise<ProjectionStore> | undefined;

  constructor(options: BoundedStoreOptions) {
    this.#options = options;
  }

  watermarks(shards: readonly number[]): ReturnType<ProjectionStore['watermarks']> {
    return this.#call('watermarks', (store) => store.watermarks(shards));
  }

  apply(request: Parameters<ProjectionStore['apply']>[0]): ReturnType<ProjectionStore['apply']> {
    return this.#call('apply', (store) => store.apply(request));
  }

  mark(request: Parameters<ProjectionStore['mark']>[0]): Promise<void> {
    return this.#call('mark', (store) => store.mark(request));
  }

  rebuild(request: Parameters<ProjectionStore['rebuild']>[0]): ReturnType<ProjectionStore['rebuild']> {
    return this.#call('rebuild', (store) => store.rebuild(request), this.#options.rebuildDeadlineMs);
  }

  /** Waits no longer than a call's deadline. */
  async close(): Promise<void> {
    const store = this.#store;
    this.#store = undefined;
    if (store === undefined) return;
    await within(this.#options.deadlineMs, closed(store));
  }

  async #call<T>(
    what: string,
    use: (store: ProjectionStore) => Promise<T>,
    deadlineMs = this.#options.deadlineMs,
  ): Promise<T> {
    const held = (this.#store ??= this.#options.open());
    const answer = held.then(use).then((value) => ({ value }));
    try {
      const reply = await within(deadlineMs, answer);
      if (reply !== undefined) return reply.value;
    } catch (error) {
      // A secret that can't be read now may be readable at the next call.
      if (this.#store === held) await held.catch(() => (this.#store = undefined));
      throw error;
    }
    if (this.#store === held) this.#store = undefined;
    // What becomes of it later is of no use to anybody.
    answer.catch(() => undefined);
    void closed(held);
    throw unreachableError(`the projections' database did not answer (${what}) in ${deadlineMs} ms`, {
      code: 'postgres_unreachable',
    });
  }
}

const closed = (store: Promise<ProjectionStore>): Promise<unknown> =>
  store.then((opened) => opened.close()).catch(() => undefined);

/** Undefined: it took longer. */
async function within<T>(deadlineMs: number, work: Promise<T>): Promise<T | undefined> {
  const done = new AbortController();
  const late = delay(deadlineMs, undefined, { signal: done.signal }).catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    done.abort();
  }
}
