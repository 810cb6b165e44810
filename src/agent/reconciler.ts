import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../clock/clock.ts';
import { Wake } from '../clock/wake.ts';
import type { EstateView, EstateWatch } from '../controlplane/estate-watch.ts';
import { messageOf } from '../domain/errors.ts';
import type { Versioned } from '../controlplane/store.ts';
import type { AuthorityRecord, MemberState } from '../domain/records.ts';
import type { Action, EstateFacts, LocalFacts } from './action.ts';
import { decideAction } from './decide-action.ts';
import { estateFacts } from './estate-facts.ts';
import type { LeaseKeeper } from './lease-keeper.ts';
import type { AgentLogger } from './logger.ts';
import type { Memory } from './memory.ts';
import type { Round } from './work.ts';

const TICK_MS = 200;
/** A follower that has nothing to do is looked at this often as long as etcd has no news and its process is the same. */
const SETTLED_MS = 1_000;
/** After an action that moved something. */
const AGAIN_MS = 20;
const BACKOFF_MAX_MS = 3_000;

/** What the member is doing, for heartbeats. */
export interface Status {
  readonly state: MemberState;
  readonly reason: string | null;
}

/** The state that an action shows while it is carried out. */
const SHOWN: Readonly<Record<Exclude<Action['kind'], 'hold' | 'stop'>, MemberState>> = {
  bootstrap: 'bootstrapping',
  'discard-incomplete': 'starting',
  clone: 'cloning',
  start: 'starting',
  follow: 'following',
  register: 'following',
  freeze: 'frozen',
  'report-stopped': 'fenced',
  promote: 'promoting',
  adopt: 'opening',
  lead: 'leading',
  'hand-over': 'handing-over',
  'take-over': 'frozen',
  demote: 'starting',
  quarantine: 'quarantined',
  salvage: 'quarantined',
  restore: 'cloning',
  prove: 'starting',
  reclone: 'cloning',
};

/** What is looked at, and how what was decided is carried out. Both may take long and may throw: they are done again. */
export interface ReconcilerPorts {
  /** Of the running Postgres; cheap. */
  pid(): Promise<number | undefined>;
  look(): Promise<Look>;
  carryOut(action: Action, round: Round): Promise<void>;
}

/** This member as it was found. `pid` is of the process that was looked at; `serverRun` changes with each start of Postgres; undefined: it doesn't answer. */
export interface Look {
  readonly facts: Omit<LocalFacts, 'reconciledMapVersion'>;
  readonly pid: number | undefined;
  readonly serverRun: string | undefined;
}

export interface ReconcilerOptions {
  readonly cluster: string;
  readonly member: string;
  readonly memory: Memory;
  readonly logger: AgentLogger;
  readonly clock: Clock;
  readonly keeper: LeaseKeeper;
  readonly watch: EstateWatch;
  readonly ports: ReconcilerPorts;
}

interface Reconciled {
  readonly term: number;
  readonly mapVersion: number;
  readonly serverRun: string;
}

/**
 * Compares what etcd says with what Postgres is, and moves Postgres: one action at a time, each decided anew from what is
 * there. An action ends early when the authority changes; what it left half done is found again at the next look.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #keeper: LeaseKeeper;
  readonly #watch: EstateWatch;
  #status: Status = { state: 'starting', reason: null };
  #leading = false;
  /** The authority under which it leads; a change of the map alone is followed without a break. */
  #led: string | undefined;
  #reconciled: Reconciled | undefined;
  readonly #wake: Wake;
  /** What is decided by, as last seen: heartbeats and renewals, several a second, are no news. */
  #facts: EstateFacts | undefined;
  /** Under what a follower had nothing to do, and when that was looked at. */
  #settled:
    | { readonly facts: EstateFacts; readonly pid: number | undefined; readonly atMs: number }
    | undefined;
  #action: { readonly revision: string | undefined; readonly abort: AbortController } | undefined;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#keeper = options.keeper;
    this.#watch = options.watch;
    this.#wake = new Wake(options.clock);
  }

  get status(): Status {
    const waiting = this.#keeper.waitingFor;
    if (!this.#leading || this.#keeper.leaseLeftMs !== null) return this.#status;
    return { state: 'opening', reason: this.#status.reason ?? waiting };
  }

  get leading(): boolean {
    return this.#leading;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { logger } = this.#options;
    const stop = this.#watch.onChange((view) => this.#onChange(view));
    let failures = 0;
    try {
      while (!signal.aborted) {
        let restMs = TICK_MS;
        this.#wake.seen();
        try {
          restMs = await this.#round(signal);
          failures = 0;
        } catch (error) {
          failures += 1;
          this.#status = { ...this.#status, reason: messageOf(error) };
          logger.warn({ reason: messageOf(error) }, 'an action failed');
        }
        if (failures > 0) restMs = Math.min(BACKOFF_MAX_MS, TICK_MS * 2 ** failures);
        await this.#wake.rest(restMs, signal);
      }
    } finally {
      stop();
    }
  }

  /** A changed authority ends the action under way, takes the lease's duty back at once, and wakes the loop. */
  #onChange(view: EstateView): void {
    const { cluster, logger } = this.#options;
    const authority = view.clusters.get(cluster)?.authority;
    if (this.#action !== undefined && this.#action.revision !== authority?.revision)
      this.#action.abort.abort();
    const { duty } = this.#keeper;
    if (duty !== undefined && duty.authority.revision !== authority?.revision) {
      this.#keeper
        .withdraw('the authority has changed', { lost: true })
        .catch((error: unknown) => logger.error({ reason: messageOf(error) }, 'the duty was not taken back'));
    }
    const facts = estateFacts(view, this.#options);
    if (isDeepStrictEqual(facts, this.#facts)) return;
    this.#facts = facts;
    this.#wake.call();
  }

  /** How long to rest: what was not steady is looked at again soon. */
  async #round(signal: AbortSignal): Promise<number> {
    const { cluster, member, memory, ports, clock } = this.#options;
    if (await this.#isSettled()) return TICK_MS;
    this.#settled = undefined;
    const estate = this.#watch.current();
    const view = estate.clusters.get(cluster);
    const facts = estateFacts(estate, { cluster, member });
    this.#facts = facts;
    if (facts === undefined || view === undefined) {
      this.#status = { state: 'starting', reason: 'etcd holds no such cluster yet' };
      return TICK_MS;
    }
    const atMs = clock.monotonicMs();
    const { local, serverRun, pid } = await this.#look();
    const action = decideAction({ member, estate: facts, local, memory: memory.value });
    await this.#remember(facts, action);
    const wasLeading = this.#leading;
    const follows = wasLeading && action.kind === 'adopt' && this.#led === view.authority?.revision;
    this.#leading = action.kind === 'lead' || follows;
    this.#led = this.#leading ? view.authority?.revision : undefined;
    if (wasLeading && !this.#leading && action.kind !== 'adopt') {
      const lost = view.authority?.value.leader !== member || view.authority.value.phase !== 'open';
      await this.#keeper.withdraw(reasonOf(action), { lost });
    }
    if (view.authority === undefined) {
      this.#status = statusOf(action);
      return TICK_MS;
    }
    const abort = new AbortController();
    this.#action = { revision: view.authority.revision, abort };
    // The view may have moved on while we looked.
    this.#onChangeSince(estate);
    if (!follows) this.#status = statusOf(action);
    try {
      const round: Round = {
        estate,
        view,
        authority: view.authority,
        serverRun: serverRun ?? '',
        signal: AbortSignal.any([signal, abort.signal]),
      };
      await ports.carryOut(action, round);
      // A promotion adopts, too.
      if (action.kind === 'adopt' || action.kind === 'promote') this.#reconciled = reconciledBy(round);
      // Else it would be done once more, before the view shows that it was reported.
      if (action.kind === 'promote') await this.#untilReported(view.authority, signal);
    } finally {
      this.#action = undefined;
    }
    if (hasNothingToDo(action)) this.#settled = { facts, pid, atMs };
    return restAfter(action);
  }

  async #untilReported({ value, revision }: Versioned<AuthorityRecord>, signal: AbortSignal): Promise<void> {
    const { cluster } = this.#options;
    const shows = (estate: EstateView) => {
      const view = estate.clusters.get(cluster);
      return view?.promotion?.value.term === value.term || view?.authority?.revision !== revision;
    };
    await this.#watch.until(shows, { timeoutMs: TICK_MS, signal }).catch(() => undefined);
  }

  #onChangeSince(before: EstateView): void {
    const now = this.#watch.current();
    if (now !== before) this.#onChange(now);
  }

  /** Callers wait for a synchronous follower: that its process has ended is seen as soon as a leader's would be. */
  async #isSettled(): Promise<boolean> {
    const { ports, clock } = this.#options;
    const settled = this.#settled;
    if (settled === undefined || settled.facts !== this.#facts) return false;
    if (clock.monotonicMs() - settled.atMs >= SETTLED_MS) return false;
    return (await ports.pid()) === settled.pid;
  }

  async #look(): Promise<Pick<Look, 'serverRun' | 'pid'> & { local: LocalFacts }> {
    const { facts, serverRun, pid } = await this.#options.ports.look();
    const known =
      this.#reconciled !== undefined &&
      this.#reconciled.serverRun === serverRun &&
      this.#reconciled.term === facts.storedTerm;
    return {
      pid,
      serverRun,
      local: { ...facts, reconciledMapVersion: known ? (this.#reconciled?.mapVersion ?? null) : null },
    };
  }

  /** Before anything is done by it: what was seen once is never undone by an older answer. */
  async #remember(facts: EstateFacts, action: Action): Promise<void> {
    const { memory } = this.#options;
    const { value } = memory;
    if (value.estate !== null && value.estate !== facts.incarnation) return;
    await memory.update({
      estate: facts.incarnation,
      highestTerm: Math.max(value.highestTerm, facts.authority?.term ?? 0),
      highestEpoch: Math.max(value.highestEpoch, facts.membership?.epoch ?? 0),
      highestMapVersion: Math.max(value.highestMapVersion, facts.mapVersion),
      ...(action.kind === 'lead' && facts.authority !== undefined
        ? { ledTerm: facts.authority.term, opened: 'primary' as const, handedOver: null }
        : {}),
    });
  }
}

const reconciledBy = ({ authority, estate, serverRun }: Round): Reconciled => ({
  term: authority.value.term,
  mapVersion: estate.map?.value.version ?? 0,
  serverRun,
});

const hasNothingToDo = (action: Action): boolean =>
  action.kind === 'hold' && action.state === 'following' && action.reason === null;

const restAfter = ({ kind }: Action): number => (kind === 'hold' || kind === 'lead' ? TICK_MS : AGAIN_MS);

const reasonOf = (action: Action): string =>
  ('reason' in action ? action.reason : null) ?? `it no longer leads (${action.kind})`;

function statusOf(action: Action): Status {
  return action.kind === 'hold' || action.kind === 'stop'
    ? { state: action.state, reason: action.reason }
    : { state: SHOWN[action.kind], reason: 'reason' in action ? action.reason : null };
}
