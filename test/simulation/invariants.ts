import type { Keys } from '../../src/controlplane/keys.ts';
import type { OperationRecord } from '../../src/domain/operation-records.ts';
import type {
  AuthorityRecord,
  DecidedPrefix,
  InSyncRecord,
  LeaseRecord,
  MembershipRecord,
} from '../../src/domain/records.ts';
import type { Write } from '../../src/etcd/port.ts';
import type { LossRecord } from '../../src/domain/loss-records.ts';
import { RecordedLosses } from './recorded-losses.ts';
import type { SimEtcd } from './sim-etcd.ts';
import type { Told } from './sim-client.ts';
import type { SimPostgres } from './sim-postgres.ts';
import { headAfter, lsnNumber, type LogRecord } from './wal.ts';
import { canBeAcknowledged, rightOf } from './rights.ts';
import { type Invariant, Violation } from './violation.ts';

export interface InvariantOptions {
  readonly etcd: SimEtcd;
  readonly keys: Keys;
  readonly cluster: string;
  readonly members: readonly SimPostgres[];
  readonly shards: number;
  readonly ttlMs: number;
  /** Whether every host's clock runs within what the margins allow for. */
  readonly clocksWithinLimits: boolean;
  readonly now: () => number;
  /** Of the data that a member has; null: none. */
  readonly incarnationOf: (member: string) => string | null;
  readonly verdict: Verdict;
}

/** Of all eyes together: the first that was broken stands. */
export interface Verdict {
  violation: Violation | undefined;
}

/** Looks at the whole world at once, after each event and at each change. It throws a Violation from where it looked. */
export class Invariants {
  readonly #options: InvariantOptions;
  #authority: AuthorityRecord | undefined;
  #inSync: InSyncRecord | undefined;
  #membership: MembershipRecord | undefined;
  /** Term -> true time at which it ended as an open authority. */
  readonly #endedAt = new Map<number, number>();
  readonly #leaderOf = new Map<number, string>();
  readonly #writerOf = new Map<number, string>();
  readonly #told = new Map<string, Told>();
  readonly #lost = new RecordedLosses();
  readonly #coordinator = new Map<string, string>();
  readonly #superseded = new Set<string>();
  #decided: { readonly prefix: DecidedPrefix; readonly log: readonly LogRecord[] } | undefined;

  constructor(options: InvariantOptions) {
    this.#options = options;
  }

  get authority(): AuthorityRecord | undefined {
    return this.#authority;
  }

  get membership(): MembershipRecord | undefined {
    return this.#membership;
  }

  /** The first that was broken stands. */
  report(invariant: Invariant, message: string): void {
    this.#options.verdict.violation ??= new Violation(invariant, message);
  }

  check(): void {
    const { members, clocksWithinLimits, ttlMs, now } = this.#options;
    let confirming: string | undefined;
    for (const postgres of members) {
      const term = rightOf(postgres, this.#options.shards);
      if (term === undefined) continue;
      const endedAt = this.#endedAt.get(term);
      if (clocksWithinLimits && endedAt !== undefined && now() > endedAt + ttlMs)
        this.report(
          'right-ends-with-authority',
          `${postgres.member} has a right of term ${term} ${(now() - endedAt).toFixed(0)} ms after that authority ended`,
        );
      if (!canBeAcknowledged(postgres)) continue;
      if (confirming !== undefined)
        this.report('one-authority', `${confirming} and ${postgres.member} can both confirm`);
      confirming = postgres.member;
    }
  }

  committed(writes: readonly Write[]): void {
    const { keys, cluster } = this.#options;
    for (const write of writes)
      if (write.kind === 'put' && write.key.startsWith(keys.losses(cluster)))
        this.#lost.record(JSON.parse(write.value) as LossRecord);
    for (const write of writes) {
      if (write.kind !== 'put') continue;
      if (write.key === keys.authority(cluster))
        this.#onAuthority(JSON.parse(write.value) as AuthorityRecord);
      else if (write.key === keys.lease(cluster)) this.#onRenewal(JSON.parse(write.value) as LeaseRecord);
      else if (write.key === keys.inSync(cluster)) this.#inSync = JSON.parse(write.value) as InSyncRecord;
      else if (write.key === keys.membership(cluster))
        this.#membership = JSON.parse(write.value) as MembershipRecord;
      else if (write.key.startsWith(keys.operations))
        this.#onOperation(JSON.parse(write.value) as OperationRecord);
    }
  }

  #onAuthority(next: AuthorityRecord): void {
    const before = this.#authority;
    this.#authority = next;
    if (before !== undefined && next.term < before.term)
      this.report('terms-only-rise', `the authority's term fell from ${before.term} to ${next.term}`);
    if (next.leader !== null) {
      const known = this.#leaderOf.get(next.term);
      if (known !== undefined && known !== next.leader)
        this.report('terms-only-rise', `term ${next.term} is ${known}'s and ${next.leader}'s`);
      this.#leaderOf.set(next.term, next.leader);
    }
    if (before?.phase === 'open' && (next.phase !== 'open' || next.term !== before.term))
      this.#endedAt.set(before.term, this.#options.now());
    // Given back after it drained, it goes on.
    if (next.phase === 'open') this.#endedAt.delete(next.term);
    if (next.phase === 'promoting' && before?.phase !== 'promoting' && next.prefix !== null)
      this.#onDecision(next.prefix);
    if (next.phase === 'open') this.checkPrefix();
  }

  #onRenewal({ term, leader }: LeaseRecord): void {
    const authority = this.#authority;
    if (authority?.phase !== 'open' || authority.term !== term || authority.leader !== leader)
      this.report(
        'right-ends-with-authority',
        `etcd took a renewal of ${leader} under term ${term}; the authority is ${authority?.phase} under ${authority?.term}`,
      );
  }

  #onDecision(prefix: DecidedPrefix): void {
    const postgres = this.#memberOf(prefix.member);
    const log = logOf(postgres).filter(({ lsn }) => lsn <= lsnNumber(prefix.lsn));
    this.#decided = { prefix, log };
    for (const [key, told] of this.#told)
      if (holds(log, told)) continue;
      else if (this.#lost.covers(told)) this.#told.delete(key);
      else
        this.report(
          'nothing-confirmed-is-lost',
          `${named(told)} is not in the prefix decided for ${prefix.member}`,
        );
  }

  /** The leader's log begins with exactly what was decided, and goes on on a later timeline. */
  checkPrefix(): void {
    const { prefix, log } = this.#decided ?? {};
    const leader = this.#authority?.leader;
    if (
      prefix === undefined ||
      log === undefined ||
      this.#authority?.phase !== 'open' ||
      leader !== prefix.member
    )
      return;
    const own = logOf(this.#memberOf(leader));
    const differs = log.findIndex((record, index) => own[index] !== record);
    if (differs !== -1)
      this.report('exact-prefix', `${leader} lacks record ${differs} of the ${log.length} that were decided`);
    const foreign = own.slice(log.length).find(({ timeline }) => timeline <= prefix.timeline);
    if (foreign !== undefined)
      this.report(
        'exact-prefix',
        `${leader} holds ${foreign.lsn} of timeline ${foreign.timeline} beyond the decided prefix`,
      );
  }

  #onOperation(next: OperationRecord): void {
    const { id, coordinator } = next;
    const before = this.#coordinator.get(id);
    if (this.#superseded.has(`${id} ${coordinator.id}`))
      this.report(
        'superseded-writes-nothing',
        `${coordinator.id} wrote ${id} (${next.phase}) after it was superseded`,
      );
    if (before !== undefined && before !== coordinator.id) this.#superseded.add(`${id} ${before}`);
    this.#coordinator.set(id, coordinator.id);
  }

  appended(member: string, { change }: LogRecord): void {
    if (change.kind !== 'decide') return;
    const log = this.#memberOf(member).disk.wal;
    const highest = log.reduce((most, record) => Math.max(most, termOf(record)), 0);
    if (change.term < highest)
      this.report(
        'terms-only-rise',
        `${member} decided ${change.token} under term ${change.term} after ${highest}`,
      );
    const writer = this.#writerOf.get(change.term);
    if (writer !== undefined && writer !== member)
      this.report('terms-only-rise', `${writer} and ${member} both decided under term ${change.term}`);
    this.#writerOf.set(change.term, member);
    const before = log
      .slice(0, -1)
      .findLast((record) => headAfter(record.change, change.shard) !== undefined);
    const expected = (before === undefined ? 0 : (headAfter(before.change, change.shard) ?? 0)) + 1;
    if (change.position !== expected)
      this.report(
        'dense-positions',
        `${member} wrote position ${change.position} of shard ${change.shard}, not ${expected}`,
      );
  }

  /** At the moment when an answer leaves Postgres without a warning. */
  acknowledged(member: string, token: string, shard: number): void {
    const record = this.#memberOf(member).disk.wal.find(
      ({ change }) => change.kind === 'decide' && change.token === token && change.shard === shard,
    );
    const inSync = this.#inSync;
    if (record === undefined || inSync === undefined || this.#authority?.leader !== member) return;
    for (const voter of inSync.voters) {
      if (voter.member === member) continue;
      // What it had flushed was thrown away by hand: no failover can be proved with it.
      if (this.#options.incarnationOf(voter.member) !== voter.incarnation) continue;
      const { disk } = this.#memberOf(voter.member);
      if (!disk.wal.slice(0, disk.flushed).includes(record))
        this.report(
          'confirmed-is-flushed',
          `${member} answers ${token}, which ${voter.member}, recorded in sync, has not flushed`,
        );
    }
  }

  /** A caller has taken a reply of this cluster for the answer. */
  believed(client: string, told: Told): void {
    const { clocksWithinLimits, ttlMs, now } = this.#options;
    const endedAt = this.#endedAt.get(told.under);
    if (clocksWithinLimits && endedAt !== undefined && now() > endedAt + ttlMs)
      this.report(
        'right-ends-with-authority',
        `${client} took ${named(told)} for confirmed ${(now() - endedAt).toFixed(0)} ms after the authority that it asked had ended`,
      );
  }

  told(client: string, told: Told): void {
    const key = `${told.shard}/${told.token}`;
    const before = this.#told.get(key);
    if (
      before !== undefined &&
      (before.position !== told.position || before.outcome !== told.outcome || before.term !== told.term)
    )
      this.report('one-outcome', `${named(told)} was told to ${client}, and before it ${named(before)}`);
    this.#told.set(key, told);
    this.believed(client, told);
    const holder = this.#authority?.leader ?? undefined;
    if (holder === undefined || holds(logOf(this.#memberOf(holder)), told)) return;
    // Confirmed before its right had ended, on its way since, and lost as recorded.
    if (this.#lost.covers(told)) this.#told.delete(key);
    else
      this.report(
        'nothing-confirmed-is-lost',
        `${named(told)} was told to ${client}, but ${holder}, who leads, doesn't hold it`,
      );
  }

  /** Everything that was ever told is in the log of who leads. */
  checkAllTold(): void {
    const leader = this.#authority?.leader;
    if (leader === null || leader === undefined) return;
    const log = logOf(this.#memberOf(leader));
    for (const told of this.#told.values())
      if (!holds(log, told))
        this.report('nothing-confirmed-is-lost', `${named(told)} is not in the log of ${leader}, who leads`);
  }

  #memberOf(name: string): SimPostgres {
    const found = this.#options.members.find(({ member }) => member === name);
    if (found === undefined) throw new Error(`there is no member ${name}`);
    return found;
  }
}

const logOf = ({ disk }: SimPostgres): readonly LogRecord[] => disk.wal.slice(0, disk.flushed);
export const named = ({ token, shard, position, term }: Told) =>
  `${token} (shard ${shard}, position ${position}, term ${term})`;
const termOf = ({ change }: LogRecord) =>
  change.kind === 'decide' || change.kind === 'adopt' ? change.term : 0;

function holds(log: readonly LogRecord[], { token, shard, position }: Told): boolean {
  return log.some(
    ({ change }) =>
      change.kind === 'decide' &&
      change.token === token &&
      change.shard === shard &&
      String(change.position) === position,
  );
}
