import { messageOf } from '../domain/errors.ts';
import type { ShardId } from '../domain/shard.ts';
import { type LogTarget, readWholeLog } from './log-pages.ts';
import type { LogSource } from './log-source.ts';
import type { ProjectionStore } from './store-port.ts';

/** How a rebuild went; for the log and the audit. */
export interface RebuildOutcome {
  readonly shard: ShardId;
  readonly why: string;
  readonly member: string | null;
  readonly error: string | null;
  readonly position: string | null;
  readonly durationMs: number;
}

export interface RebuildQueueOptions {
  readonly cluster: string;
  readonly by: string;
  readonly store: ProjectionStore;
  /** Of its own: a rebuild asks for a long time, and the others go on meanwhile. */
  readonly source: LogSource;
  /** Undefined: the shard is no longer to be rebuilt from here. */
  readonly target: (shard: ShardId) => LogTarget | undefined;
  readonly onEnd: (outcome: RebuildOutcome) => void;
}

/** Folds shards anew, one after the other, beside the tail of all others. */
export class RebuildQueue {
  readonly #options: RebuildQueueOptions;
  readonly #waiting = new Map<ShardId, string>();
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: RebuildQueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size;
  }

  has(shard: ShardId): boolean {
    return this.#waiting.has(shard);
  }

  add(shard: ShardId, why: string): void {
    if (this.#closed || this.#waiting.has(shard)) return;
    this.#waiting.set(shard, why);
    this.#running ??= this.#run();
  }

  /** Ends after the page that is under way; the rebuild that it cuts short is begun anew by whoever has the shard. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#options.source.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const [shard, why] = next;
      const begun = performance.now();
      const outcome = { shard, why, member: null, error: null, position: null };
      try {
        const done = await this.#rebuild(shard, why);
        this.#end({ ...outcome, ...done, durationMs: Math.round(performance.now() - begun) });
      } catch (error) {
        const durationMs = Math.round(performance.now() - begun);
        this.#end({ ...outcome, error: messageOf(error), durationMs });
      }
    }
    this.#running = undefined;
    if (!this.#closed) this.#options.source.close();
  }

  #next(): [ShardId, string] | undefined {
    return this.#closed ? undefined : this.#waiting.entries().next().value;
  }

  #end(outcome: RebuildOutcome): void {
    this.#waiting.delete(outcome.shard);
    this.#options.onEnd(outcome);
  }

  async #rebuild(shard: ShardId, why: string): Promise<{ position: string; member: string }> {
    const { cluster, by, store, source, target } = this.#options;
    const { lineage, member, pages } = await readWholeLog({
      shard,
      source,
      target: () => (this.#closed ? undefined : target(shard)),
    });
    const { position } = await store.rebuild({ cluster, shard, why, by, lineage, pages });
    return { position, member };
  }
}
