import type {
  AuthorityRecord,
  EstateRecord,
  LeaseRecord,
  MapRecord,
  MembershipRecord,
  ShardRecord,
} from '../domain/records.ts';
import type { KeyValue } from '../etcd/port.ts';
import type { Keys } from './keys.ts';

/** What a record that must never fall said before, and what it says now (null: it is gone). */
export interface Regression {
  readonly key: string;
  readonly seen: string;
  readonly got: string | null;
}

/**
 * Remembers the highest term, epoch, generation and map version seen of each key, and the estate's incarnation. A record
 * below its mark, or the loss of such a record, comes from a store that has lost something: it is not to be believed.
 */
export class HighWater {
  readonly #keys: Keys;
  readonly #marks = new Map<string, readonly number[]>();
  #incarnation: string | undefined;

  constructor(keys: Keys) {
    this.#keys = keys;
  }

  /** The estate's incarnation that was seen first. */
  get incarnation(): string | undefined {
    return this.#incarnation;
  }

  /** Undefined: accepted, and remembered. */
  accept(kv: KeyValue): Regression | undefined {
    const value: unknown = JSON.parse(kv.value);
    if (kv.key === this.#keys.estate) {
      const { incarnation } = value as EstateRecord;
      const seen = this.#incarnation;
      if (seen !== undefined && seen !== incarnation) {
        return { key: kv.key, seen: `incarnation ${seen}`, got: `incarnation ${incarnation}` };
      }
      this.#incarnation = incarnation;
      return undefined;
    }
    const mark = this.#markOf(kv.key, value);
    if (mark === undefined) return undefined;
    const seen = this.#marks.get(kv.key);
    if (seen !== undefined && isBelow(mark, seen)) {
      return { key: kv.key, seen: seen.join('.'), got: mark.join('.') };
    }
    this.#marks.set(kv.key, mark);
    return undefined;
  }

  /** Undefined: this key may go. */
  acceptDelete(key: string): Regression | undefined {
    if (key === this.#keys.estate && this.#incarnation !== undefined) {
      return { key, seen: `incarnation ${this.#incarnation}`, got: null };
    }
    const seen = this.#marks.get(key);
    // A lease record may be deleted by hand: nothing is granted to anyone by its absence.
    if (seen === undefined || key.endsWith('/lease')) return undefined;
    return { key, seen: seen.join('.'), got: null };
  }

  #markOf(key: string, value: unknown): readonly number[] | undefined {
    const keys = this.#keys;
    if (key === keys.map) return [(value as MapRecord).version];
    if (key.startsWith(keys.shards)) {
      const { generation, mapVersion } = value as ShardRecord;
      return [generation, mapVersion];
    }
    if (!key.startsWith(keys.clusters)) return undefined;
    const [, name, rest] = key.slice(keys.clusters.length).split('/');
    if (rest !== undefined) return undefined;
    if (name === 'authority') return [(value as AuthorityRecord).term];
    if (name === 'membership') return [(value as MembershipRecord).epoch];
    if (name === 'lease') return [(value as LeaseRecord).term];
    return undefined;
  }
}

/** Lexicographic: a lower first number is below, whatever follows. */
function isBelow(mark: readonly number[], seen: readonly number[]): boolean {
  const differs = mark.findIndex((number, index) => number !== seen[index]);
  return differs !== -1 && (mark[differs] ?? 0) < (seen[differs] ?? 0);
}
