import type { Clock } from '../clock/clock.ts';
import { systemClock } from '../clock/system-clock.ts';
import { unknownError } from '../domain/errors.ts';
import type { EtcdPort, Watch } from '../etcd/port.ts';
import type { Keys } from './keys.ts';
import { LiveRecords, type WatchReport } from './live-records.ts';

export interface UntilOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** What is waited for, in words, for the error. */
  readonly what?: string;
}

export interface LiveViewOptions<T> {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly prefix: string;
  readonly initial: T;
  /** The next view after `changed` keys changed; the same object when nothing that it shows did. */
  readonly next: (view: T, changed: ReadonlySet<string>, records: LiveRecords) => T;
  readonly onReport?: ((report: WatchReport) => void) | undefined;
  readonly onBreak?: ((error: unknown) => void) | undefined;
  /** The one that the proofs of the watch are told on. */
  readonly clock?: Clock | undefined;
}

/**
 * A value in memory that follows etcd. It never goes backwards (LiveRecords) and knows its age: while the watch is cut
 * off, or what etcd answers isn't believed, the view stays as it was and `staleForMs` grows.
 */
export class LiveView<T> {
  readonly #options: LiveViewOptions<T>;
  readonly #clock: Clock;
  readonly #records: LiveRecords;
  readonly #listeners = new Set<(view: T) => void>();
  #view: T;
  #provenAt = -Infinity;
  #watch: Watch | undefined;

  private constructor(options: LiveViewOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#view = options.initial;
    this.#records = new LiveRecords(options.keys, (report) => options.onReport?.(report));
  }

  /** Resolves with the first complete view. Throws `etcd_unreachable` when there is none in time. */
  static async open<T>(options: LiveViewOptions<T>): Promise<LiveView<T>> {
    const live = new LiveView(options);
    live.#watch = await options.etcd.watch(options.prefix, {
      onSnapshot: (snapshot) => live.#apply(live.#records.snapshot(snapshot)),
      onEvents: (events, revision) => live.#apply(live.#records.events(events, revision)),
      onProof: (provenAt) => {
        if (live.#records.believed) live.#provenAt = provenAt;
      },
      onBreak: (error) => options.onBreak?.(error),
    });
    return live;
  }

  current(): T {
    return this.#view;
  }

  /** Everything that was committed longer ago than this is in the view. Proofs come about once a second. */
  staleForMs(): number {
    return this.#clock.monotonicMs() - this.#provenAt;
  }

  /** Called after each change with the new view; the answer ends it. A listener must not throw. */
  onChange(listener: (view: T) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The first view for which the predicate holds, the current one included. Throws `wait_timed_out` (exit 5). */
  until(predicate: (view: T) => boolean, { timeoutMs, signal, what }: UntilOptions): Promise<T> {
    if (predicate(this.#view)) return Promise.resolve(this.#view);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const stop = this.onChange((view) => {
      try {
        if (predicate(view)) resolve(view);
      } catch (error) {
        reject(error);
      }
    });
    const cancel = this.#clock.after(timeoutMs, () =>
      reject(
        unknownError(`${what ?? 'the expected change in etcd'} did not come within ${timeoutMs} ms`, {
          code: 'wait_timed_out',
          data: { timeoutMs, staleForMs: Math.round(this.staleForMs()) },
        }),
      ),
    );
    const onAbort = () => reject(signal?.reason);
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    return promise.finally(() => {
      stop();
      cancel();
      signal?.removeEventListener('abort', onAbort);
    });
  }

  async close(): Promise<void> {
    await this.#watch?.close();
    this.#listeners.clear();
  }

  #apply(changed: ReadonlySet<string> | undefined): void {
    if (changed === undefined || changed.size === 0) return;
    const view = this.#options.next(this.#view, changed, this.#records);
    if (view === this.#view) return;
    this.#view = view;
    for (const listener of this.#listeners) listener(view);
  }
}
