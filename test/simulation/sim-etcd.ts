import type {
  Compare,
  KeyValue,
  RangeResult,
  TransactionResult,
  WatchEvent,
  Write,
} from '../../src/etcd/port.ts';
import type { Scheduler } from './scheduler.ts';

interface Stored {
  readonly kv: KeyValue;
  readonly leaseId: string | undefined;
}

export interface Change {
  readonly revision: number;
  readonly events: readonly WatchEvent[];
}

/** What a transaction changed, told before anybody else hears of it. */
export type CommitListener = (change: Change, writes: readonly Write[]) => void;

/**
 * The store of a whole etcd cluster, taken as the one linearizable register that Raft makes of it. What its clients live
 * through (silence, lost answers, late writes) is the client's part (sim-etcd-client.ts).
 */
export class SimEtcd {
  readonly scheduler: Scheduler;
  readonly history: Change[] = [];
  /** False: no quorum; what arrives is answered by nobody. */
  available = true;
  onCommit: CommitListener = () => undefined;
  readonly #keys = new Map<string, Stored>();
  readonly #leases = new Map<string, { expiresAt: number; ttlMs: number }>();
  readonly #followers = new Set<(change: Change) => void>();
  #revision = 1;
  #leaseCount = 0;

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
  }

  get(key: string): KeyValue | undefined {
    return this.#keys.get(key)?.kv;
  }

  range(prefix: string): RangeResult {
    const kvs = [...this.#keys.values()]
      .map(({ kv }) => kv)
      .filter(({ key }) => key.startsWith(prefix))
      .toSorted((a, b) => (a.key < b.key ? -1 : 1));
    return { kvs, revision: String(this.#revision) };
  }

  /** Throws a LeaseGone when a write names a lease that has ended. */
  transact(compares: readonly Compare[], writes: readonly Write[]): TransactionResult {
    const holds = compares.every(
      ({ key, modRevision }) => (this.#keys.get(key)?.kv.modRevision ?? '0') === modRevision,
    );
    if (!holds) return { succeeded: false, revision: String(this.#revision) };
    for (const write of writes) {
      if (write.kind === 'put' && write.leaseId !== undefined && !this.#leases.has(write.leaseId))
        throw new LeaseGone();
    }
    this.#commit(writes);
    return { succeeded: true, revision: String(this.#revision) };
  }

  #commit(writes: readonly Write[]): void {
    const revision = this.#revision + 1;
    const events: WatchEvent[] = [];
    for (const write of writes) {
      if (write.kind === 'put') {
        const { key, value, leaseId } = write;
        const kv = { key, value, modRevision: String(revision) };
        this.#keys.set(key, { kv, leaseId });
        events.push({ kind: 'put', kv });
      } else if (this.#keys.delete(write.key)) {
        events.push({ kind: 'delete', key: write.key, modRevision: String(revision) });
      }
    }
    // As etcd has it: a transaction that changes nothing has no revision of its own.
    if (events.length === 0) return;
    this.#revision = revision;
    const change = { revision, events };
    this.history.push(change);
    this.onCommit(change, writes);
    for (const follower of this.#followers) follower(change);
  }

  /** Everything after `revision`, then what comes; the answer ends it. */
  follow(revision: number, follower: (change: Change) => void): () => void {
    for (const change of this.history) if (change.revision > revision) follower(change);
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  grant(ttlMs: number): string {
    this.#leaseCount += 1;
    const id = String(this.#leaseCount);
    this.#leases.set(id, { ttlMs, expiresAt: this.scheduler.now + ttlMs });
    this.#expireLater(id);
    return id;
  }

  /** False: it is gone. */
  keepAlive(id: string): boolean {
    const lease = this.#leases.get(id);
    if (lease === undefined) return false;
    lease.expiresAt = this.scheduler.now + lease.ttlMs;
    return true;
  }

  revoke(id: string): void {
    if (!this.#leases.delete(id)) return;
    const writes: Write[] = [...this.#keys]
      .filter(([, { leaseId }]) => leaseId === id)
      .map(([key]) => ({ kind: 'delete', key }));
    this.#commit(writes);
  }

  #expireLater(id: string): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    this.scheduler.after(lease.expiresAt - this.scheduler.now + 1, '', () => {
      const { now } = this.scheduler;
      // An etcd without a quorum ends no lease, and one that elects a leader gives each its full time again.
      if (!this.available) lease.expiresAt = now + lease.ttlMs;
      if (lease.expiresAt > now) this.#expireLater(id);
      else this.revoke(id);
    });
  }
}

export class LeaseGone extends Error {}
