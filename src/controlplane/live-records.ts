import type { KeyValue, RangeResult, WatchEvent } from '../etcd/port.ts';
import { HighWater, type Regression } from './high-water.ts';
import { clusterOfKey } from './cluster-view.ts';
import type { Keys } from './keys.ts';

export type WatchReport =
  /** A record fell below what was seen of it: it is ignored, the one seen before stays. */
  | ({ readonly kind: 'record-went-backwards' } & Regression)
  /** Another estate, or a rebuilt one, answers: nothing is taken over from now on, the view goes stale. */
  | ({ readonly kind: 'incarnation-changed' } & Regression)
  /** The store's own revision fell (restored from a backup): nothing is taken over until it has passed what was seen. */
  | { readonly kind: 'store-went-backwards'; readonly seen: string; readonly got: string }
  | { readonly kind: 'unreadable'; readonly key: string; readonly error: unknown };

/** The keys under one prefix as last believed: etcd's answers, filtered so that nothing ever falls. */
export class LiveRecords {
  readonly #high: HighWater;
  readonly #keys: Keys;
  readonly #report: (report: WatchReport) => void;
  readonly #kvs = new Map<string, KeyValue>();
  /** By cluster: renewals and heartbeats come several times a second, and the shards beside them may be many. */
  readonly #clusters = new Map<string, Map<string, KeyValue>>();
  #revision = 0n;
  #foreign = false;

  constructor(keys: Keys, report: (report: WatchReport) => void) {
    this.#keys = keys;
    this.#high = new HighWater(keys);
    this.#report = report;
  }

  get kvs(): ReadonlyMap<string, KeyValue> {
    return this.#kvs;
  }

  /** In the order in which their keys first came. */
  ofCluster(cluster: string): readonly KeyValue[] {
    return [...(this.#clusters.get(cluster)?.values() ?? [])];
  }

  get revision(): string {
    return String(this.#revision);
  }

  /** Whether what etcd answers now can be believed; if not, the view only ages. */
  get believed(): boolean {
    return !this.#foreign;
  }

  /** The keys that changed; undefined when the snapshot as a whole was not believed. */
  snapshot({ kvs, revision }: RangeResult): ReadonlySet<string> | undefined {
    if (!this.#advance(revision)) return undefined;
    const estate = kvs.find(({ key }) => key === this.#keys.estate);
    if (estate !== undefined && !this.#sameEstate(estate)) return undefined;
    this.#foreign = false;
    const changed = new Set<string>();
    const listed = new Set(kvs.map(({ key }) => key));
    for (const kv of kvs) {
      if (this.#kvs.get(kv.key)?.modRevision !== kv.modRevision && this.#put(kv)) changed.add(kv.key);
    }
    for (const key of this.#kvs.keys()) {
      if (!listed.has(key) && this.#delete(key)) changed.add(key);
    }
    return changed;
  }

  events(events: readonly WatchEvent[], revision: string): ReadonlySet<string> | undefined {
    if (this.#foreign || !this.#advance(revision)) return undefined;
    const changed = new Set<string>();
    for (const event of events) {
      const key = event.kind === 'put' ? event.kv.key : event.key;
      if (event.kind === 'put' && key === this.#keys.estate && !this.#sameEstate(event.kv)) return undefined;
      if (event.kind === 'put' ? this.#put(event.kv) : this.#delete(event.key)) changed.add(key);
    }
    return changed;
  }

  #advance(revision: string): boolean {
    const got = BigInt(revision);
    if (got < this.#revision) {
      this.#foreign = true;
      this.#report({ kind: 'store-went-backwards', seen: this.revision, got: revision });
      return false;
    }
    this.#revision = got;
    return true;
  }

  #sameEstate(kv: KeyValue): boolean {
    const regression = this.#high.accept(kv);
    if (regression === undefined) return true;
    this.#foreign = true;
    this.#report({ kind: 'incarnation-changed', ...regression });
    return false;
  }

  #put(kv: KeyValue): boolean {
    try {
      const regression = this.#high.accept(kv);
      if (regression !== undefined) {
        this.#report({ kind: 'record-went-backwards', ...regression });
        return false;
      }
    } catch (error) {
      this.#report({ kind: 'unreadable', key: kv.key, error });
      return false;
    }
    this.#kvs.set(kv.key, kv);
    this.#siblingsOf(kv.key)?.set(kv.key, kv);
    return true;
  }

  #delete(key: string): boolean {
    const regression = this.#high.acceptDelete(key);
    if (regression === undefined) {
      this.#siblingsOf(key)?.delete(key);
      return this.#kvs.delete(key);
    }
    this.#report({ kind: 'record-went-backwards', ...regression });
    return false;
  }

  #siblingsOf(key: string): Map<string, KeyValue> | undefined {
    const cluster = clusterOfKey(this.#keys, key);
    if (cluster === undefined) return undefined;
    const found = this.#clusters.get(cluster) ?? new Map<string, KeyValue>();
    this.#clusters.set(cluster, found);
    return found;
  }
}
