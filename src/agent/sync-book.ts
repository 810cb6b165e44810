import type { InSyncRecord, Voter } from '../domain/records.ts';
import { assertNever, unreachableError } from '../domain/errors.ts';
import { DoubledNames } from './doubled-names.ts';
import { BARRIER_NAMES, followerName, syncNames } from './follower-name.ts';
import { IssuedDeadlines, type IssuedDeadlinesPorts } from './issued-deadlines.ts';
import type { Session } from './local-session.ts';
import { readFlushedLsn, readWalsenders } from './replication-facts.ts';
import { allFlushed, obeysExactly, planSyncSet, type SyncInput, type Walsender } from './sync-set.ts';

export interface SyncBookPorts extends IssuedDeadlinesPorts {
  readonly session: Session;
  /** A session whose commits wait as a client's do. */
  readonly probe: () => Session;
  /** Replaces the setting's file, durably, and has Postgres read it. */
  readonly writeNames: (names: string) => Promise<void>;
}

type RecordedSet = Pick<InSyncRecord, 'voters' | 'required' | 'degraded'>;

export interface SyncRound {
  readonly input: Omit<SyncInput, 'walsenders' | 'flushedLsn' | 'nearBytes'>;
  readonly serverRun: string;
  readonly signal: AbortSignal;
  /** Of `input.record` as it was seen; `'0'`: there is none. */
  readonly recordRevision: string;
  /**
   * Compare-and-swap of the record; a whole record is written as it is. Answers the revision written, or undefined: somebody
   * else changed it, the membership or the authority. Throws when nothing is known.
   */
  readonly record: (next: RecordedSet) => Promise<string | undefined>;
}

interface InForce {
  readonly names: string;
  readonly serverRun: string;
}

/** `agreed`: record and setting are one, proved. Else nothing new may be granted, for the reason. */
export type SyncStanding =
  | {
      readonly kind: 'agreed';
      readonly names: string;
      readonly record: RecordedSet;
    }
  | { readonly kind: 'not-yet'; readonly reason: string };

const notYet = (reason: string): SyncStanding => ({ kind: 'not-yet', reason });

/** Callers wait, or are refused, while this is waited for. */
const STEP_MS = 5;
const RELOAD_DEADLINE_MS = 3_000;
const CAUGHT_UP_DEADLINE_MS = 5_000;
const PROBE_TIMEOUT_MS = 60_000;
/** A follower nearer than this is taken in; at it, commits wait a moment for the rest. */
const NEAR_BYTES = 1_048_576n;

/**
 * Brings the recorded in-sync set, Postgres's setting and the followers to agree, in the order that keeps the record true.
 *
 * Each change of the setting goes through a barrier that no follower satisfies. A changed setting takes hold at different
 * times in the checkpointer (which decides whether commits wait at all) and in each walsender (which lets them go by the names
 * that it knows). Behind the barrier both can be proved: a commit of ours is seen waiting, and no walsender has a priority any
 * more. What is released after that is released by the new names. During the barrier decisions are refused or wait.
 *
 * A set with news is recorded behind the barrier, once it holds all: whoever is in the record, and whoever is no more, nothing
 * is released that a recorded voter lacks.
 */
export class SyncBook {
  readonly #ports: SyncBookPorts;
  /** The names that are proved to be in force in this run of Postgres. */
  #inForce: InForce | undefined;
  /** The newest revision of the record that we know to have written. What was seen before it is no ground for anything. */
  #floor = 0n;
  /** Whether a write may be under way, or have landed unseen. True at first: a former agent's may. */
  #doubt = true;
  readonly #deadlines: IssuedDeadlines;
  readonly #doubled = new DoubledNames();

  constructor(ports: SyncBookPorts) {
    this.#ports = ports;
    this.#deadlines = new IssuedDeadlines(ports);
  }

  async close(): Promise<void> {
    await this.#ports.session.close();
  }

  /** Whether these names are in force and the record behind them is beyond doubt: without both nothing is granted anew. */
  stands({ names, serverRun }: InForce): boolean {
    return !this.#doubt && this.#inForce?.names === names && this.#inForce.serverRun === serverRun;
  }

  /** One step: plans, and carries the plan out. Throws what Postgres or etcd throw; calling it again goes on. */
  async tick(round: SyncRound): Promise<SyncStanding> {
    const { session, logger } = this.#ports;
    const { input } = round;
    if (BigInt(round.recordRevision) < this.#floor)
      return notYet('the in-sync record that was seen is older than the one written here');
    if (this.#doubt && input.record !== undefined) {
      // At a new revision: what was sent earlier compares the old one and can't land any more.
      await this.#write(round, input.record);
      return notYet('making sure of the in-sync record');
    }
    const flushedLsn = await readFlushedLsn(session);
    const walsenders = await readWalsenders(session);
    const impostor = this.#impostorIn(walsenders, input.record);
    if (impostor !== undefined) return this.#refuseImpostor(impostor);
    const plan = planSyncSet({ ...input, flushedLsn, walsenders, nearBytes: NEAR_BYTES });
    switch (plan.kind) {
      case 'keep':
        return this.#keep(round);
      case 'wait':
        return notYet(plan.reason);
      case 'alone':
        logger.warn({}, 'the only voter: recording the cluster as degraded');
        await this.#write(round, { voters: [], required: 0, degraded: true });
        return notYet('recording that there is no synchronous follower');
      case 'shrink':
        logger.info({ voters: plan.voters }, 'recording the smaller in-sync set');
        await this.#write(round, { voters: plan.voters, required: plan.voters.length, degraded: false });
        return notYet('the in-sync set shrinks');
      case 'grow':
        return this.#grow(plan.voters, round);
      default:
        return assertNever(plan);
    }
  }

  async #keep({ input: { record, leader }, serverRun, signal }: SyncRound): Promise<SyncStanding> {
    if (record === undefined) return notYet('no in-sync set is recorded');
    const voters = record.degraded ? [] : record.voters.filter(({ member }) => member !== leader);
    const names = syncNames(voters);
    const waiting = names === '' ? await this.#outstanding(serverRun) : undefined;
    if (waiting !== undefined) return notYet(waiting);
    await this.#apply(names, serverRun, signal);
    this.#deadlines.end();
    return {
      kind: 'agreed',
      names,
      record: { voters, required: record.degraded ? 0 : record.required, degraded: record.degraded },
    };
  }

  async #grow(voters: readonly Voter[], round: SyncRound): Promise<SyncStanding> {
    const { serverRun, signal } = round;
    const { session, logger } = this.#ports;
    const names = syncNames(voters);
    logger.info({ names }, 'taking followers into the in-sync set');
    const record = { voters, required: voters.length, degraded: false };
    this.#inForce = undefined;
    await this.#raiseBarrier(names, signal);
    // Everything that was ever released lies before this, and behind the barrier nothing more is.
    const lsn = await readFlushedLsn(session);
    await this.#until(CAUGHT_UP_DEADLINE_MS, signal, 'the new in-sync set to catch up', async () =>
      allFlushed(await readWalsenders(session), voters, lsn),
    );
    if (!(await this.#write(round, record))) return notYet('the in-sync record was changed by somebody else');
    await this.#release(names, serverRun, signal);
    await this.#until(CAUGHT_UP_DEADLINE_MS, signal, 'the new in-sync set to be obeyed', async () =>
      obeysExactly(await readWalsenders(session), voters),
    );
    this.#deadlines.end();
    return { kind: 'agreed', names, record };
  }

  async #outstanding(serverRun: string): Promise<string | undefined> {
    const already = this.#inForce?.names === '' && this.#inForce.serverRun === serverRun;
    return already ? undefined : this.#deadlines.outstanding(serverRun);
  }

  #impostorIn(walsenders: readonly Walsender[], record: InSyncRecord | undefined): string | undefined {
    const doubled = this.#doubled.look(walsenders);
    return record?.voters.map(followerName).find((name) => doubled.includes(name));
  }

  /** Postgres counts both connections, so what one of them flushed isn't known: nothing is decided on it. */
  async #refuseImpostor(name: string): Promise<SyncStanding> {
    const reason = `two live connections answer as ${name}: one of them is not that follower`;
    this.#ports.logger.error(
      { name },
      'two live connections answer under one voter’s name: admission is closed',
    );
    await this.#ports.silence(reason);
    return notYet(reason);
  }

  /** The only way to write the record: until a write is known to have succeeded, names and grant stay as they are. */
  async #write(round: SyncRound, next: RecordedSet): Promise<boolean> {
    this.#doubt = true;
    const revision = await round.record(next);
    if (revision === undefined) return false;
    this.#floor = BigInt(revision);
    this.#doubt = false;
    return true;
  }

  /** Puts names in force. Proved once for each run of Postgres. */
  async #apply(names: string, serverRun: string, signal: AbortSignal): Promise<void> {
    if (this.#inForce?.names === names && this.#inForce.serverRun === serverRun) {
      if ((await this.#shown()) === names) return;
    }
    this.#inForce = undefined;
    await this.#raiseBarrier(names, signal);
    await this.#release(names, serverRun, signal);
  }

  /** Nothing is released from now on, until `names` are. */
  async #raiseBarrier(names: string, signal: AbortSignal): Promise<void> {
    const { session } = this.#ports;
    await this.#set(BARRIER_NAMES, signal);
    await this.#until(RELOAD_DEADLINE_MS, signal, 'every walsender to read its settings', async () =>
      (await readWalsenders(session)).every(({ syncPriority }) => syncPriority === 0),
    );
    if (names !== '') await this.#proveCommitsWait(signal);
    // A grant that a former agent had sent may have landed since it was looked at.
    else if (await this.#deadlines.landedSince()) throw late('a late grant to be waited out');
  }

  async #release(names: string, serverRun: string, signal: AbortSignal): Promise<void> {
    await this.#set(names, signal);
    this.#inForce = { names, serverRun };
  }

  async #set(names: string, signal: AbortSignal): Promise<void> {
    await this.#ports.writeNames(names);
    await this.#until(
      RELOAD_DEADLINE_MS,
      signal,
      'Postgres to read its settings',
      async () => (await this.#shown()) === names,
    );
  }

  async #shown(): Promise<string> {
    const { names } = await this.#ports.session.one<{ names: string }>(
      `select current_setting('synchronous_standby_names') as names`,
    );
    return names;
  }

  /** Commits something behind the barrier until one is seen waiting. It is let go with the names that follow. */
  async #proveCommitsWait(signal: AbortSignal): Promise<void> {
    const { session, clock } = this.#ports;
    const deadline = clock.monotonicMs() + RELOAD_DEADLINE_MS;
    while (clock.monotonicMs() < deadline && !signal.aborted) {
      const probe = this.#ports.probe();
      const { pid } = await probe.one<{ pid: number }>('select pg_backend_pid() as pid');
      const commit = commitOnce(probe);
      while (!commit.settled && clock.monotonicMs() < deadline && !signal.aborted) {
        const waiting = await session.query(
          `select 1 from pg_stat_activity where pid = $1 and wait_event = 'SyncRep'`,
          [pid],
        );
        if (waiting.length > 0) return;
        await clock.sleep(STEP_MS, signal);
      }
    }
    throw late('a commit to be seen waiting for a follower');
  }

  async #until(
    timeoutMs: number,
    signal: AbortSignal,
    what: string,
    holds: () => Promise<boolean>,
  ): Promise<void> {
    const { clock } = this.#ports;
    const deadline = clock.monotonicMs() + timeoutMs;
    while (!(await holds())) {
      if (signal.aborted || clock.monotonicMs() > deadline) throw late(what);
      await clock.sleep(STEP_MS, signal);
    }
  }
}

/** Commits something that a follower must flush, and closes the session whenever that ends. */
function commitOnce(probe: Session): { readonly settled: boolean } {
  const state = { settled: false };
  const commit = async () => {
    try {
      await probe.query(`select pg_logical_emit_message(true, 'capstan', 'barrier')`, [], PROBE_TIMEOUT_MS);
    } catch {
      // Cut off while it waited: then it was waiting.
    } finally {
      state.settled = true;
      await probe.close();
    }
  };
  void commit();
  return state;
}

const late = (what: string) =>
  unreachableError(`waited in vain for ${what}`, { code: 'in_sync_change_timeout' });
