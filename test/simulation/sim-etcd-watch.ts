import type { Watch, WatchHandlers } from '../../src/etcd/port.ts';
import { unreachable } from '../../src/etcd/etcd-errors.ts';
import type { Change } from './sim-etcd.ts';
import type { SimEtcdClient } from './sim-etcd-client.ts';

const PROVE_EVERY_MS = 1_000;
const PATIENCE_MS = 1_000;
const AGAIN_MS = 100;

/** A watch as the real adapter's: rounds of a list, a stream from the next revision, and a proof each second. */
export class SimWatch implements Watch {
  readonly #client: SimEtcdClient;
  readonly #prefix: string;
  readonly #handlers: WatchHandlers;
  readonly #closing = new AbortController();
  readonly #first = Promise.withResolvers<void>();

  constructor(client: SimEtcdClient, prefix: string, handlers: WatchHandlers) {
    this.#client = client;
    this.#prefix = prefix;
    this.#handlers = handlers;
  }

  async open(): Promise<this> {
    void this.#run();
    const cancel = this.#client.options.process.timer(2_000, () =>
      this.#first.reject(unreachable(['etcd'], [new Error('no list in time')])),
    );
    try {
      await this.#first.promise;
      return this;
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      cancel();
    }
  }

  close(): Promise<void> {
    this.#closing.abort();
    return Promise.resolve();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const { clock } = this.#client.options.process;
    while (!signal.aborted) {
      try {
        await this.#follow();
      } catch (error) {
        if (signal.aborted) return;
        this.#handlers.onBreak?.(error);
      }
      await clock.sleep(AGAIN_MS, signal);
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#closing;
    const { clock } = this.#client.options.process;
    const listedAt = clock.monotonicMs();
    const snapshot = await this.#client.range(this.#prefix, { timeoutMs: PATIENCE_MS });
    if (signal.aborted) return;
    this.#handlers.onSnapshot(snapshot);
    this.#handlers.onProof?.(listedAt);
    this.#first.resolve();
    const stream = this.#stream(Number(snapshot.revision));
    try {
      for (;;) {
        await clock.sleep(PROVE_EVERY_MS, signal);
        if (signal.aborted) return;
        const provenAt = clock.monotonicMs();
        const told = await this.#client.call('prove', { timeoutMs: PATIENCE_MS }, () => stream.told());
        // What the stream was told by then must have come; the progress reply waits in the same queue.
        const deadline = clock.monotonicMs() + PATIENCE_MS;
        while (stream.heard() < told && !stream.broken() && clock.monotonicMs() < deadline) {
          // One that is closed sleeps no more, and no time would pass.
          if (signal.aborted) return;
          await clock.sleep(50, signal);
        }
        if (stream.broken() || stream.heard() < told) throw new Error('the stream is silent');
        this.#handlers.onProof?.(provenAt);
      }
    } finally {
      stream.close();
    }
  }

  /** Changes in order, each no earlier than the one before it; one that is lost breaks the stream. */
  #stream(revision: number) {
    const { process, etcd, network } = this.#client.options;
    const { scheduler, host, name } = process;
    let told = 0;
    let heard = 0;
    let broken = false;
    let open = true;
    let lastAt = 0;
    const follow = (change: Change) => {
      if (!process.alive) {
        stop();
        return;
      }
      const events = change.events.filter((event) =>
        (event.kind === 'put' ? event.kv.key : event.key).startsWith(this.#prefix),
      );
      if (events.length === 0 || broken) return;
      told += 1;
      const number = told;
      lastAt = Math.max(lastAt, scheduler.now + network.delayMs('etcd', host.name));
      scheduler.at(lastAt, `${name} <- watch @${change.revision}`, () => {
        if (network.isCut('etcd', host.name)) broken = true;
        if (broken || !open) return;
        process.deliver('watch', () => {
          if (broken || !open || this.#closing.signal.aborted) return;
          heard = number;
          this.#handlers.onEvents(events, String(change.revision));
        });
      });
    };
    const stop = etcd.follow(revision, follow);
    return {
      told: () => told,
      heard: () => heard,
      broken: () => broken,
      close: () => {
        open = false;
        stop();
      },
    };
  }
}
