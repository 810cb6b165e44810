import { type Clock, timestampOf } from '../clock/clock.ts';
import type { EstateWatch } from '../controlplane/estate-watch.ts';
import { readRecord, revisionOf, Transaction } from '../controlplane/store.ts';
import { messageOf } from '../domain/errors.ts';
import { parseLsn } from '../domain/lsn.ts';
import type { ClaimRecord } from '../domain/records.ts';
import type { MemberContext } from './context.ts';
import { followerName } from './follower-name.ts';
import { LagRing } from './lag-ring.ts';
import type { RpoRight } from './lease-ports.ts';
import type { Session } from './local-session.ts';
import { readFlushedLsn, readWalsenders } from './replication-facts.ts';
import { decisionBound, type GateState, nextGate } from './rpo-gate.ts';
import type { Walsender } from './sync-set.ts';

const TICK_MS = 200;
const PUBLISH_EVERY_MS = 1_000;
/** At five a second: two minutes; older entries are thinned. */
const RING_ENTRIES_MAX = 600;
/** A claim is taken back this much before its gate, so that decisions needn't stop while etcd is being told. */
const HEAD_START_MS = 500;

/**
 * Proves, while this member leads, how much of its log the remote follower has replayed, and stands for the RPO claim: it is
 * advertised while it is proved, bounds decisions while it is advertised, and is withdrawn in etcd before the bound is
 * lifted. Who dies doesn't matter: the claim and the bound both end by themselves.
 */
export class LagWatch {
  readonly #context: MemberContext;
  readonly #session: Session;
  readonly #watch: EstateWatch;
  readonly #isLeading: () => boolean;
  readonly #onChange: () => void;
  #rings = new Map<string, LagRing>();
  #state: GateState = 'unproved';
  #term = 0;
  #walsenders: readonly Walsender[] = [];
  #boundApplied = false;
  #withdrawnInEtcd = false;
  #publishedAtMs = -Infinity;
  #published: ClaimRecord['status'] | undefined;

  constructor(options: {
    readonly context: MemberContext;
    readonly session: Session;
    readonly watch: EstateWatch;
    readonly isLeading: () => boolean;
    /** Told when what the lease row should say has changed. */
    readonly onChange: () => void;
  }) {
    this.#context = options.context;
    this.#session = options.session;
    this.#watch = options.watch;
    this.#isLeading = options.isLeading;
    this.#onChange = options.onChange;
  }

  /** As last seen; for heartbeats. */
  get walsenders(): readonly Walsender[] {
    return this.#walsenders;
  }

  /** For the lease row that is about to be written; undefined before the first look under this term. */
  right(): RpoRight | undefined {
    if (this.#state === 'unproved' || (this.#state === 'withdrawing' && !this.#boundApplied))
      return undefined;
    const { rpo } = this.#context.contract;
    const { wallMs, nowMs } = readBothClocks(this.#context.clock);
    const bound = decisionBound({ state: this.#state, freshAtMs: this.#freshAtMs(), nowMs, rpo });
    // The row may lose its bound from now on, whenever this right lands: nothing is advertised before a bounded one was applied.
    if (bound === undefined) this.#boundApplied = false;
    return {
      untilWallMs: bound === undefined ? null : wallMs + (bound - nowMs),
      lagMs: this.#lagMs(nowMs) ?? null,
      claim: this.#state === 'none' ? null : this.#state === 'advertised' ? 'advertised' : 'withdrawn',
    };
  }

  applied(right: RpoRight): void {
    this.#boundApplied = right.untilWallMs !== null;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    while (!signal.aborted) {
      const begun = clock.monotonicMs();
      try {
        if (this.#isLeading()) await this.#tick();
        else this.#forget();
      } catch (error) {
        this.#context.logger.debug({ reason: messageOf(error) }, 'the lag could not be measured');
      }
      await clock.sleep(TICK_MS - (clock.monotonicMs() - begun), signal);
    }
  }

  async #tick(): Promise<void> {
    // Before anything is asked: a pause anywhere below only makes the lag look longer and the claim end sooner.
    const clocks = readBothClocks(this.#context.clock);
    const { nowMs } = clocks;
    const { contract, cluster, logger } = this.#context;
    const view = this.#watch.current().clusters.get(cluster);
    const authority = view?.authority;
    if (view === undefined || authority === undefined) return;
    if (authority.value.term !== this.#term) {
      this.#forget();
      this.#term = authority.value.term;
    }
    const flushed = parseLsn(await readFlushedLsn(this.#session)) ?? 0n;
    this.#walsenders = await readWalsenders(this.#session);
    const observers = Object.entries(view.membership?.value.members ?? {})
      .filter(([, { role }]) => role === 'observer')
      .map(([member]) => member);
    for (const member of observers) {
      const incarnation = view.members.get(member)?.value.incarnation ?? '';
      const name = followerName({ member, incarnation });
      const ring = this.#rings.get(name) ?? new LagRing(RING_ENTRIES_MAX);
      this.#rings.set(name, ring);
      const row = this.#walsenders.find((candidate) => candidate.name === name);
      const replayed = row?.replayedLsn ?? null;
      ring.tick(nowMs, flushed, {
        replayedLsn: replayed === null ? undefined : parseLsn(replayed),
        replyMark: row?.replyMark ?? undefined,
      });
    }
    const before = this.#state;
    this.#state = nextGate({
      state: before,
      hasObserver: observers.length > 0,
      lagMs: this.#lagMs(nowMs),
      withdrawnInEtcd: this.#withdrawnInEtcd,
      rpo: contract.rpo,
      headStartMs: HEAD_START_MS,
    });
    if (this.#state !== before) {
      logger.info({ from: before, to: this.#state, lagMs: this.#lagMs(nowMs) ?? null }, 'RPO claim');
      this.#onChange();
    }
    await this.#publish(clocks);
  }

  async #publish({ wallMs, nowMs }: ReturnType<typeof readBothClocks>): Promise<void> {
    // Advertised in etcd only once decisions are bounded by it.
    const status = this.#state === 'advertised' && this.#boundApplied ? 'advertised' : 'withdrawn';
    if (this.#state === 'advertised' && status === 'withdrawn' && this.#published !== undefined) return;
    if (status === this.#published && nowMs - this.#publishedAtMs < PUBLISH_EVERY_MS) return;
    const { etcd, keys, cluster, contract } = this.#context;
    const view = this.#watch.current().clusters.get(cluster);
    const authority = view?.authority;
    if (authority === undefined || authority.value.term !== this.#term) return;
    const timeoutMs = contract.deadlines.etcdMs;
    const key = keys.claim(cluster);
    const stored = await readRecord<ClaimRecord>(etcd, key, { timeoutMs });
    const unchanged = stored?.value.term === this.#term && stored.value.status === status;
    const lagMs = this.#lagMs(nowMs);
    const at = timestampOf(this.#context.clock);
    const claim: ClaimRecord = {
      term: this.#term,
      status,
      reason: status === 'advertised' ? null : this.#reason(),
      budgetMs: contract.rpo.budgetMs,
      lagMs: lagMs === undefined ? null : Math.round(lagMs),
      validUntil:
        status === 'advertised' && lagMs !== undefined
          ? new Date(wallMs + contract.rpo.budgetMs - lagMs).toISOString()
          : null,
      changedAt: unchanged ? stored.value.changedAt : at,
      at,
    };
    // Until the reply is here etcd may hold either. The claim's own revision keeps a write that was given up on, and still
    // arrives, from replacing a later one.
    this.#published = undefined;
    if (status === 'advertised') this.#withdrawnInEtcd = false;
    const written = await new Transaction(etcd)
      .expect(keys.authority(cluster), revisionOf(authority))
      .expect(key, revisionOf(stored))
      .put(key, claim)
      .commit({ timeoutMs });
    if (!written) return;
    this.#published = status;
    this.#withdrawnInEtcd = status === 'withdrawn';
    this.#publishedAtMs = nowMs;
  }

  #reason(): string {
    if (this.#state === 'none') return 'the cluster has no remote follower';
    const fresh = this.#freshAtMs();
    return fresh === undefined
      ? 'the remote follower has not been heard under this term'
      : 'the remote follower is behind the gate';
  }

  /** The best of the remote followers: a regional failover takes the one that holds most. */
  #freshAtMs(): number | undefined {
    const fresh = [...this.#rings.values()].map((ring) => ring.freshAtMs).filter((at) => at !== undefined);
    return fresh.length === 0 ? undefined : Math.max(...fresh);
  }

  #lagMs(nowMs: number): number | undefined {
    const fresh = this.#freshAtMs();
    return fresh === undefined ? undefined : Math.max(0, nowMs - fresh);
  }

  #forget(): void {
    if (this.#term === 0) return;
    this.#rings = new Map();
    this.#state = 'unproved';
    this.#term = 0;
    this.#walsenders = [];
    this.#boundApplied = false;
    this.#withdrawnInEtcd = false;
    this.#published = undefined;
  }
}

/** The wall clock first: a pause between the two makes what is reckoned from them earlier, never later. */
const readBothClocks = (clock: Clock) => ({ wallMs: clock.wallMs(), nowMs: clock.monotonicMs() });
