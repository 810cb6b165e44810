import { type Clock, readClocks } from '../clock/clock.ts';
import { Wake } from '../clock/wake.ts';
import type { Contract } from '../domain/contract.ts';
import { messageOf } from '../domain/errors.ts';
import { leaseClockMs } from './boot-clock.ts';
import type { Duty, KeeperPorts, LeaseTimes } from './lease-ports.ts';
import { renewInMs, rightEndsAt, rightLeftMs } from './lease-right.ts';
import type { AgentLogger } from './logger.ts';

interface Grant {
  readonly id: string;
  readonly duty: Duty;
  readonly sequence: number;
  readonly sentAtMs: number;
  readonly endsAtMs: number;
}

/** A duty wakes it. */
const IDLE_MS = 1_000;
const RETRY_MS = 100;
/** One right leaves time for this many renewals without an answer: an etcd that elects a leader costs one or two. */
const ATTEMPTS = 4;

/**
 * Keeps the leader's right, in a loop of its own that no slow action can hold up.
 *
 * Without a duty it is idle. With one it takes the full grant path: followers hold all, a renewal in etcd, a new row. Then
 * it renews at the contract's cadence: only a renewal that is known to have succeeded extends the row, by what is left since
 * before it was sent. It leaves that mode when the row is gone or the duty is another one (the full grant path again), when
 * the right has run out, and when a compare fails: then that authority is barred for ever, and Postgres is told, or stopped.
 */
export class LeaseKeeper {
  readonly #ports: KeeperPorts;
  readonly #contract: Contract;
  readonly #logger: AgentLogger;
  readonly #clock: Clock;
  #duty: Duty | undefined;
  #grant: Grant | undefined;
  /** A revision of the authority under which a compare has failed. */
  #barred: string | undefined;
  #waitingFor: string | null = null;
  readonly #wake: Wake;
  #underWay: Promise<void> = Promise.resolve();

  constructor(options: {
    readonly ports: KeeperPorts;
    readonly contract: Contract;
    readonly logger: AgentLogger;
    readonly clock: Clock;
  }) {
    this.#ports = options.ports;
    this.#contract = options.contract;
    this.#logger = options.logger;
    this.#clock = options.clock;
    this.#wake = new Wake(options.clock);
  }

  get leaseLeftMs(): number | null {
    return this.#grant === undefined ? null : rightLeftMs(this.#grant.endsAtMs, leaseClockMs(this.#clock));
  }

  /** Why there is no grant although there is a duty. */
  get waitingFor(): string | null {
    return this.#waitingFor;
  }

  /** Says why there is no duty yet, while there is none. */
  explain(reason: string): void {
    if (this.#duty === undefined) this.#waitingFor = reason;
  }

  /** Renews now: what the row says has changed. */
  hurry(): void {
    this.#wake.call();
  }

  get duty(): Duty | undefined {
    return this.#duty;
  }

  assign(duty: Duty): void {
    if (this.#duty !== undefined && sameDuty(this.#duty, duty)) return;
    this.#duty = duty;
    this.#wake.call();
  }

  /**
   * Takes the duty back and closes admission. With `lost`, somebody else may lead now: a Postgres that can't be told is
   * stopped. Resolves when one of the two has been done.
   */
  async withdraw(reason: string, { lost }: { readonly lost: boolean }): Promise<void> {
    const had = this.#grant !== undefined || this.#duty !== undefined;
    if (lost) this.#barred = this.#duty?.authority.revision ?? this.#barred;
    this.#duty = undefined;
    this.#grant = undefined;
    this.#waitingFor = reason;
    this.#wake.call();
    if (had) await this.#close(reason, lost);
  }

  /**
   * As `withdraw`, and resolves only once nothing that was begun under the duty is under way here and admission is closed.
   * Throws when Postgres can't be told.
   */
  async silence(reason: string): Promise<void> {
    await this.withdraw(reason, { lost: false });
    await this.#underWay.catch(() => undefined);
    await this.#ports.closeAdmission(reason);
  }

  /** As `withdraw` for good, whether or not there was a duty: once it resolves nothing more passes the fence here. */
  async surrender(reason: string): Promise<void> {
    this.#barred = this.#duty?.authority.revision ?? this.#barred;
    this.#duty = undefined;
    this.#grant = undefined;
    this.#waitingFor = reason;
    this.#wake.call();
    await this.#close(reason, true);
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#underWay = this.#step(signal);
        await this.#underWay;
      } catch (error) {
        this.#logger.warn({ reason: messageOf(error) }, 'lease step failed');
        await this.#wake.rest(RETRY_MS, signal);
      }
    }
  }

  async #step(signal: AbortSignal): Promise<void> {
    const duty = this.#duty;
    if (duty === undefined || duty.authority.revision === this.#barred) {
      await this.#wake.rest(IDLE_MS, signal);
      return;
    }
    const grant = this.#grant;
    if (grant === undefined || !sameDuty(grant.duty, duty)) await this.#takeGrant(duty, signal);
    else await this.#renew(grant, signal);
  }

  async #takeGrant(duty: Duty, signal: AbortSignal): Promise<void> {
    this.#wake.seen();
    if (!(await this.#ports.followersHoldAll(duty))) {
      this.#waitingFor = 'the recorded in-sync set has not flushed all that this leader has';
      await this.#wake.rest(RETRY_MS, signal);
      return;
    }
    const grantId = this.#clock.uuid();
    const renewed = await this.#tryRenewal({ duty, grantId, sequence: 1 });
    if (renewed === undefined) {
      await this.#wake.rest(RETRY_MS, signal);
      return;
    }
    if (!this.#isCurrent(duty)) return;
    await this.#ports.grantRow(duty, renewed.times);
    // The duty may have been taken back meanwhile: then the row that was just written is closed again.
    if (!this.#isCurrent(duty)) {
      await this.#close('the duty was taken back', false);
      return;
    }
    this.#grant = { id: grantId, duty, sequence: 1, ...renewed };
    this.#waitingFor = null;
    this.#ports.rpoApplied(renewed.times.rpo);
    this.#logger.info({ term: duty.authority.value.term, grantId, names: duty.names }, 'lease granted');
  }

  async #renew(grant: Grant, signal: AbortSignal): Promise<void> {
    const { renewEveryMs } = this.#contract.lease;
    await this.#wake.rest(renewInMs(grant.sentAtMs, leaseClockMs(this.#clock), renewEveryMs), signal);
    if (this.#grant !== grant || signal.aborted) return;
    const { duty, id: grantId } = grant;
    if (rightLeftMs(grant.endsAtMs, leaseClockMs(this.#clock)) === 0) {
      await this.#lapse(grant);
      return;
    }
    if (this.#duty === undefined || !sameDuty(this.#duty, duty)) return;
    const renewed = await this.#tryRenewal({ duty, grantId, sequence: grant.sequence + 1 });
    if (renewed === undefined) {
      await this.#wake.rest(50, signal);
      return;
    }
    if (this.#grant !== grant) return;
    if (rightLeftMs(renewed.endsAtMs, leaseClockMs(this.#clock)) === 0) return;
    const extension = await this.#ports.extendRow(renewed.times);
    if (this.#grant !== grant) return;
    if (extension === 'older') {
      await this.#wake.rest(50, signal);
      return;
    }
    if (extension === 'extended') {
      this.#grant = { ...grant, sequence: grant.sequence + 1, ...renewed };
      this.#ports.rpoApplied(renewed.times.rpo);
      return;
    }
    // Nobody but this keeper closes: a closed row was closed by a request of before this grant that arrived after it.
    const found = extension === 'closed' ? 'was closed by a late request' : 'is gone';
    this.#logger.warn(
      { term: duty.authority.value.term, grantId },
      `the lease row ${found}: full grant path`,
    );
    this.#grant = undefined;
  }

  /** Undefined: not known to have succeeded, or refused (then the authority is barred and Postgres was told). */
  async #tryRenewal({
    duty,
    grantId,
    sequence,
  }: {
    readonly duty: Duty;
    readonly grantId: string;
    readonly sequence: number;
  }): Promise<{ sentAtMs: number; endsAtMs: number; times: LeaseTimes } | undefined> {
    const { ttlMs, marginMs } = this.#contract.lease;
    const rpo = this.#ports.rpo();
    if (rpo === undefined) {
      this.#waitingFor = 'the RPO claim is not settled yet';
      return undefined;
    }
    const sentAtMs = leaseClockMs(this.#clock);
    const countedFrom = readClocks(this.#clock);
    let compared: boolean;
    try {
      const timeoutMs = Math.min(this.#contract.deadlines.etcdMs, Math.floor((ttlMs - marginMs) / ATTEMPTS));
      compared = await this.#ports.renew({ duty, grantId, sequence, timeoutMs });
    } catch (error) {
      this.#waitingFor = 'etcd did not confirm the renewal';
      this.#logger.warn(
        { term: duty.authority.value.term, reason: messageOf(error) },
        'renewal not confirmed',
      );
      return undefined;
    }
    if (!compared) {
      await this.#loseAuthority(duty);
      return undefined;
    }
    const endsAtMs = rightEndsAt(sentAtMs, { ttlMs, marginMs });
    return { sentAtMs, endsAtMs, times: { grantId, countedFrom, validForMs: endsAtMs - sentAtMs, rpo } };
  }

  async #loseAuthority(duty: Duty): Promise<void> {
    this.#logger.warn(
      { term: duty.authority.value.term },
      'the authority has changed: this member no longer leads',
    );
    this.#barred = duty.authority.revision;
    this.#grant = undefined;
    this.#waitingFor = 'the authority has changed';
    await this.#close(`the authority of term ${duty.authority.value.term} has ended`, true);
  }

  /** The right has run out with no news of the authority. Both clocks have ended the row already; this says why. */
  async #lapse(grant: Grant): Promise<void> {
    const overdueMs = leaseClockMs(this.#clock) - grant.endsAtMs;
    this.#logger.warn({ term: grant.duty.authority.value.term, overdueMs }, 'the lease has lapsed');
    this.#grant = undefined;
    this.#waitingFor = 'the lease has lapsed';
    await this.#close('the lease has lapsed', false);
  }

  async #close(reason: string, lost: boolean): Promise<void> {
    try {
      await this.#ports.closeAdmission(reason);
    } catch (error) {
      this.#logger.warn({ reason: messageOf(error) }, 'admission could not be closed');
      if (lost) await this.#ports.stopPostgres(reason);
    }
  }

  #isCurrent(duty: Duty): boolean {
    return this.#duty !== undefined && sameDuty(this.#duty, duty) && duty.authority.revision !== this.#barred;
  }
}

const sameDuty = (a: Duty, b: Duty): boolean =>
  a.epoch === b.epoch &&
  a.authority.revision === b.authority.revision &&
  a.names === b.names &&
  a.serverRun === b.serverRun;
