import { timestampOf } from '../clock/clock.ts';
import type { ClusterView } from '../controlplane/cluster-view.ts';
import { readRecord, revisionOf, Transaction } from '../controlplane/store.ts';
import type { ClaimRecord } from '../domain/records.ts';
import type { MemberContext } from './context.ts';
import type { AgentLiveness } from './liveness.ts';

const PUBLISH_EVERY_MS = 1_000;

/** What is to be said of the claim, by clocks that were read before anything was asked. */
export interface ClaimNews {
  readonly view: ClusterView;
  readonly term: number;
  readonly status: ClaimRecord['status'];
  /** Why it isn't advertised. */
  readonly reason: string | null;
  /** Why it is so, should this be a change. */
  readonly because: string;
  readonly lagMs: number | undefined;
  readonly wallMs: number;
  readonly nowMs: number;
}

/**
 * Writes the claim of a cluster while this member leads it. What is not known to be written counts as advertised: only an
 * answered write makes it `withdrawnInEtcd`.
 */
export class ClaimPublisher {
  readonly #context: MemberContext;
  readonly #liveness: AgentLiveness;
  #withdrawnInEtcd = false;
  #publishedAtMs = -Infinity;
  #published: ClaimRecord['status'] | undefined;

  constructor(context: MemberContext, liveness: AgentLiveness) {
    this.#context = context;
    this.#liveness = liveness;
  }

  /** Whether etcd is known to hold a withdrawn claim of this term, or none. */
  get withdrawnInEtcd(): boolean {
    return this.#withdrawnInEtcd;
  }

  /** What was written last; undefined when that isn't known. */
  get published(): ClaimRecord['status'] | undefined {
    return this.#published;
  }

  forget(): void {
    this.#withdrawnInEtcd = false;
    this.#published = undefined;
  }

  /** Told when a term begins without a claim, and nobody can have written one under it. */
  nothingIsClaimed(): void {
    this.#withdrawnInEtcd = true;
  }

  /** Writes what has changed at once, else once a second. Throws what etcd throws; then nothing is known. */
  async publish(news: ClaimNews): Promise<void> {
    const { view, term, status, nowMs } = news;
    if (status === this.#published && nowMs - this.#publishedAtMs < PUBLISH_EVERY_MS) return;
    const { authority } = view;
    if (authority === undefined || authority.value.term !== term) return;
    const { etcd, keys, cluster, contract } = this.#context;
    const timeoutMs = contract.deadlines.etcdMs;
    const key = keys.claim(cluster);
    const stored = await readRecord<ClaimRecord>(etcd, key, { timeoutMs });
    const claim = this.#record(news, stored?.value);
    // Until the reply is here etcd may hold either. The claim's own revision keeps a write that was given up on, and still
    // arrives, from replacing a later one.
    this.#published = undefined;
    if (status === 'advertised') this.#withdrawnInEtcd = false;
    const written = await this.#liveness.write((leaseId) =>
      new Transaction(etcd)
        .expect(keys.authority(cluster), revisionOf(authority))
        .expect(key, revisionOf(stored))
        .put(key, claim, leaseId)
        .commit({ timeoutMs }),
    );
    if (!written) return;
    this.#published = status;
    this.#withdrawnInEtcd = status === 'withdrawn';
    this.#publishedAtMs = nowMs;
  }

  #record(news: ClaimNews, stored: ClaimRecord | undefined): ClaimRecord {
    const { term, status, reason, because, lagMs, wallMs } = news;
    const { budgetMs, action, throttle } = this.#context.contract.rpo;
    const at = timestampOf(this.#context.clock);
    const same = stored?.term === term && stored.status === status ? stored : undefined;
    return {
      term,
      status,
      reason,
      budgetMs,
      lagMs: lagMs === undefined ? null : Math.round(lagMs),
      validUntil:
        status === 'advertised' && lagMs !== undefined
          ? new Date(wallMs + budgetMs - lagMs).toISOString()
          : null,
      action,
      decisionsPerSecond: throttle?.decisionsPerSecond ?? null,
      changedAt: same?.changedAt ?? at,
      changedBecause: same?.changedBecause ?? because,
      at,
    };
  }
}
