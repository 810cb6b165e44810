import type { ShardId } from '../domain/shard.ts';

const FIRST_MS = 200;
const MOST_MS = 5_000;

interface Held {
  readonly why: string;
  readonly tries: number;
  readonly waitMs: number;
  readonly untilMs: number;
}

/** Shards that could not be followed where all others are: each is asked for elsewhere, after a while that grows. */
export class HeldShards {
  readonly #held = new Map<ShardId, Held>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  hold(shard: ShardId, why: string): void {
    const before = this.#held.get(shard);
    const waitMs = before === undefined ? FIRST_MS : Math.min(MOST_MS, before.waitMs * 2);
    this.#held.set(shard, { why, waitMs, untilMs: this.#now() + waitMs, tries: (before?.tries ?? 0) + 1 });
  }

  release(shard: ShardId): void {
    this.#held.delete(shard);
  }

  /** Forgets all but these: others have the rest now. */
  keep(shards: ReadonlySet<ShardId>): void {
    for (const shard of this.#held.keys()) if (!shards.has(shard)) this.#held.delete(shard);
  }

  has(shard: ShardId): boolean {
    return this.#held.has(shard);
  }

  /** Those whose while is over, by how often they were tried. */
  due(): ReadonlyMap<number, readonly ShardId[]> {
    const now = this.#now();
    return Map.groupBy(
      [...this.#held].filter(([, { untilMs }]) => untilMs <= now).map(([shard]) => shard),
      (shard) => this.#held.get(shard)?.tries ?? 0,
    );
  }

  /** How long until the next is due; undefined: none is held. */
  get nextInMs(): number | undefined {
    if (this.#held.size === 0) return undefined;
    return Math.max(0, Math.min(...[...this.#held.values()].map(({ untilMs }) => untilMs)) - this.#now());
  }

  get reasons(): readonly { readonly shard: ShardId; readonly why: string }[] {
    return [...this.#held].map(([shard, { why }]) => ({ shard, why }));
  }
}
