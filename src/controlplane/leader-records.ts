import { type Clock, timestampOf } from '../clock/clock.ts';
import { systemClock } from '../clock/system-clock.ts';
import type { AuthorityRecord, InSyncRecord, MembershipRecord } from '../domain/records.ts';
import type { EtcdPort } from '../etcd/port.ts';
import { auditIn } from './audit.ts';
import { nextAuthority } from './authority.ts';
import type { Keys } from './keys.ts';
import { revisionOf, Transaction, type Versioned } from './store.ts';

/** The records that a leader's agent writes, each by a transaction that compares the authority it acts under. */
interface UnderAuthority {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly cluster: string;
  readonly authority: Versioned<AuthorityRecord>;
  readonly clock?: Clock;
}

/**
 * The bootstrap member's database stands: `bootstrap` becomes `open` with that member as leader, its first in-sync
 * record in the same transaction where one is given. Answers the new authority, or undefined when another one was there
 * first. Throws `authority_transition_refused` (exit 4) in any other phase.
 */
export async function openBootstrap(
  options: UnderAuthority & {
    readonly member: string;
    readonly actor: string;
    readonly inSync?: InSyncRecord;
  },
): Promise<Versioned<AuthorityRecord> | undefined> {
  const { etcd, keys, cluster, authority, member, actor, inSync, clock = systemClock } = options;
  const at = timestampOf(clock);
  const value = nextAuthority(authority.value, { kind: 'bootstrapped', leader: member }, at);
  const transaction = new Transaction(etcd)
    .expect(keys.authority(cluster), authority.revision)
    .put(keys.authority(cluster), value);
  if (inSync !== undefined) {
    transaction.expect(keys.inSync(cluster), '0').put(keys.inSync(cluster), inSync);
  }
  const entry = {
    actor,
    action: 'authority.bootstrapped',
    target: cluster,
    before: authority.value,
    after: value,
  };
  auditIn(transaction, keys, entry, clock);
  const revision = await transaction.commitAt();
  return revision === undefined ? undefined : { value, revision };
}

/**
 * Replaces the recorded in-sync set: compares the record that was read, the authority and the membership that it follows
 * from. Answers the new record, or undefined when one of them was changed meanwhile. Growing and shrinking have an order
 * (SPEC.md, "In-sync set") that is the caller's.
 */
export async function recordInSync(
  options: UnderAuthority & {
    readonly membership: Versioned<MembershipRecord>;
    readonly before: Versioned<InSyncRecord> | undefined;
    readonly after: InSyncRecord;
    readonly actor: string;
    readonly reason: string;
  },
): Promise<Versioned<InSyncRecord> | undefined> {
  const {
    etcd,
    keys,
    cluster,
    authority,
    membership,
    before,
    after,
    actor,
    reason,
    clock = systemClock,
  } = options;
  const transaction = new Transaction(etcd)
    .expect(keys.authority(cluster), authority.revision)
    .expect(keys.membership(cluster), membership.revision)
    .expect(keys.inSync(cluster), revisionOf(before))
    .put(keys.inSync(cluster), after);
  const entry = {
    actor,
    action: 'in-sync.record',
    target: cluster,
    before: before?.value ?? null,
    after,
    reason,
  };
  auditIn(transaction, keys, entry, clock);
  const revision = await transaction.commitAt();
  return revision === undefined ? undefined : { value: after, revision };
}
