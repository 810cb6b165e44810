import type { LogEntry } from '../domain/log-entry.ts';
import type { ShardId } from '../domain/shard.ts';
import { messageOf, refusedError } from '../domain/errors.ts';
import type { LineageEntry, ShardLog } from '../domain/shard-log.ts';
import type { LogSource, SourcedAnswer } from './log-source.ts';
import type { Sources } from './sources.ts';
import type { ProjectionStore } from './store-port.ts';

const PAGE_ENTRIES = 5_000;

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
  readonly target: (shard: ShardId) => { readonly sources: Sources; readonly generation: number } | undefined;
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
    const { cluster, by, store } = this.#options;
    const first = await this.#page(shard, '0');
    const { lineage } = first.log;
    const done = await store.rebuild({
      cluster,
      shard,
      why,
      by,
      lineage,
      pages: this.#pages(shard, lineage, first.log),
    });
    return { position: done.position, member: first.answer.source.member };
  }

  async *#pages(
    shard: ShardId,
    lineage: readonly LineageEntry[],
    first: ShardLog,
  ): AsyncGenerator<readonly LogEntry[]> {
    for (let log = first; log.entries.length > 0;) {
      yield log.entries;
      const after = log.entries.at(-1)?.position ?? '0';
      if (BigInt(after) >= BigInt(log.bound)) return;
      ({ log } = await this.#page(shard, after));
      if (JSON.stringify(log.lineage) !== JSON.stringify(lineage)) {
        throw unusable(shard, 'its authority changed between two pages');
      }
    }
  }

  async #page(shard: ShardId, after: string): Promise<{ answer: SourcedAnswer; log: ShardLog }> {
    const { target, source } = this.#options;
    const at = target(shard);
    if (at === undefined || this.#closed) throw unusable(shard, 'it is another projector’s now');
    const request = { shards: [{ shard, generation: at.generation, after }], entriesMax: PAGE_ENTRIES };
    for (let skip = 0; skip < at.sources.members.length; skip += 1) {
      const answer = await source.ask(at.sources, request, skip);
      const log = answer?.logs[0];
      if (answer !== undefined && log !== undefined) return { answer, log };
    }
    throw unusable(shard, 'no member of its cluster shows it now');
  }
}

const unusable = (shard: ShardId, why: string): Error =>
  refusedError(`the log of shard ${shard} can't be read: ${why}`, { code: 'projection_log_broken' });
