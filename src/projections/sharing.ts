import { createHash } from 'node:crypto';
import type { ShardId } from '../domain/shard.ts';

/**
 * Which of these names has a shard: the one with the highest rendezvous hash, so that a name that comes or goes moves no shards
 * but its own. Undefined: there is none. (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998.)
 */
export function holderOf(shard: ShardId, names: Iterable<string>): string | undefined {
  let holder: string | undefined;
  let highest = -1n;
  for (const name of names) {
    const score = scoreOf(shard, name);
    if (score > highest || (score === highest && holder !== undefined && name > holder)) {
      highest = score;
      holder = name;
    }
  }
  return holder;
}

const scoreOf = (shard: ShardId, name: string): bigint =>
  createHash('sha256').update(`${shard}/${name}`).digest().readBigUInt64BE(0);

/** Who has which shard among the names that live; reckoned once for each set of names. */
export class Sharing {
  readonly #own: string;
  #names: ReadonlySet<string>;
  readonly #mine = new Map<ShardId, boolean>();

  constructor(own: string) {
    this.#own = own;
    this.#names = new Set([own]);
  }

  get names(): readonly string[] {
    return [...this.#names].toSorted();
  }

  /** Who lives now; this process counts whatever is said. False: nothing has changed. */
  live(names: Iterable<string>): boolean {
    const next = new Set([...names, this.#own]);
    if (next.size === this.#names.size && [...next].every((name) => this.#names.has(name))) return false;
    this.#names = next;
    this.#mine.clear();
    return true;
  }

  has(shard: ShardId): boolean {
    const known = this.#mine.get(shard);
    if (known !== undefined) return known;
    const mine = holderOf(shard, this.#names) === this.#own;
    this.#mine.set(shard, mine);
    return mine;
  }
}
