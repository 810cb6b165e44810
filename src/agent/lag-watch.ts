import type { Clock } from '../clock/clock.ts';
import { Wake } from '../clock/wake.ts';
import type { ClusterView } from '../controlplane/cluster-view.ts';
import type { EstateWatch } from '../controlplane/estate-watch.ts';
import { formatDurationMs } from '../domain/duration.ts';
import { messageOf } from '../domain/errors.ts';
import { parseLsn } from '../domain/lsn.ts';
import type { ClaimPublisher } from './claim-publisher.ts';
import type { MemberContext } from './context.ts';
import { followerName } from './follower-name.ts';
import { LagRing } from './lag-ring.ts';
import type { RpoRight } from './lease-ports.ts';
import type { Session } from './local-session.ts';
import { readFlushedLsn, readWalsenders } from './replication-facts.ts';
import { decisionBound, type GateState, nextGate } from './rpo-gate.ts';
import type { Walsender } from './sync-set.ts';

const TICK_MS = 200;
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
  readonly #publisher: ClaimPublisher;
  #rings = new Map<string, LagRing>();
  #state: GateState = 'unproved';
  #term = 0;
  #walsenders: readonly Walsender[] = [];
  #boundApplied = false;
  /** Seen by this process before anybody could lead under it: no earlier write of a claim of this term can be on its way. */
  #unledTerm = 0;
  readonly #wake: Wake;

  constructor(options: {
    readonly context: MemberContext;
    readonly session: Session;
    readonly watch: EstateWatch;
    readonly publisher: ClaimPublisher;
    readonly isLeading: () => boolean;
    /** Told when what the lease row should say has changed. */
    readonly onChange: () => void;
  }) {
    this.#context = options.context;
    this.#session = options.session;
    this.#watch = options.watch;
    this.#publisher = options.publisher;
    this.#isLeading = options.isLeading;
    this.#onChange = options.onChange;
    this.#wake = new Wake(options.context.clock);
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

  /** This member leads from now on: nothing is granted before the first look. */
  begin(): void {
    if (this.#term === 0) this.#wake.call();
  }

  async run(signal: AbortSignal): Promise<void> {
    const stop = this.#watch.onChange((view) => {
      const { cluster, member } = this.#context;
      const authority = view.clusters.get(cluster)?.authority?.value;
      if (authority?.phase === 'promoting' && authority.leader === member) this.#unledTerm = authority.term;
    });
    try {
      await this.#loop(signal);
    } finally {
      stop();
    }
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    while (!signal.aborted) {
      const begun = clock.monotonicMs();
      try {
        if (this.#isLeading()) await this.#tick();
        else this.#forget();
      } catch (error) {
        this.#context.logger.debug({ reason: messageOf(error) }, 'the lag could not be measured');
      }
      const restMs = TICK_MS - (clock.monotonicMs() - begun);
      await this.#wake.rest(restMs, signal);
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
      if (this.#unledTerm === this.#term && view.claim === undefined) this.#publisher.nothingIsClaimed();
    }
    const flushed = parseLsn(await readFlushedLsn(this.#session)) ?? 0n;
    this.#walsenders = await readWalsenders(this.#session);
    const observers = Object.entries(view.membership?.value.members ?? {})
      .filter(([, { role }]) => role === 'observer')
      .map(([member]) => member);
    const names = observers.map((member) =>
      followerName({ member, incarnation: view.members.get(member)?.value.incarnation ?? '' }),
    );
    // Who is no observer any more proves nothing.
    for (const name of this.#rings.keys()) if (!names.includes(name)) this.#rings.delete(name);
    for (const name of names) {
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
      withdrawnInEtcd: this.#publisher.withdrawnInEtcd,
      rpo: contract.rpo,
      headStartMs: HEAD_START_MS,
    });
    if (this.#state !== before) {
      logger.info({ from: before, to: this.#state, lagMs: this.#lagMs(nowMs) ?? null }, 'RPO claim');
      this.#onChange();
    }
    await this.#publish(view, clocks);
  }

  async #publish(view: ClusterView, clocks: ReturnType<typeof readBothClocks>): Promise<void> {
    // Advertised in etcd only once decisions are bounded by it.
    const status = this.#state === 'advertised' && this.#boundApplied ? 'advertised' : 'withdrawn';
    if (this.#state === 'advertised' && status === 'withdrawn' && this.#publisher.published !== undefined)
      return;
    const lagMs = this.#lagMs(clocks.nowMs);
    const reason = status === 'advertised' ? null : this.#reason();
    const because = reason ?? this.#nearness(lagMs);
    await this.#publisher.publish({ view, term: this.#term, status, reason, because, lagMs, ...clocks });
  }

  #reason(): string {
    if (this.#state === 'none') return 'the cluster has no remote follower';
    const fresh = this.#freshAtMs();
    return fresh === undefined
      ? 'the remote follower has not been heard under this term'
      : 'the remote follower is behind the gate';
  }

  #nearness(lagMs: number | undefined): string {
    const lag = lagMs === undefined ? 'near' : `${formatDurationMs(lagMs)} behind`;
    return `the remote follower is ${lag}, and decisions are bounded`;
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
    this.#publisher.forget();
  }
}

/** The wall clock first: a pause between the two makes what is reckoned from them earlier, never later. */
const readBothClocks = (clock: Clock) => ({ wallMs: clock.wallMs(), nowMs: clock.monotonicMs() });
