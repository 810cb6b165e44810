import { parseLsn } from '../domain/lsn.ts';
import type { InSyncRecord, MembershipRecord, Voter } from '../domain/records.ts';
import { followerName } from './follower-name.ts';

/** One row of the leader's `pg_stat_replication`. */
export interface Walsender {
  readonly name: string;
  readonly state: string;
  readonly syncState: string;
  readonly syncPriority: number;
  readonly flushedLsn: string | null;
  readonly replayedLsn: string | null;
  readonly replyMark: string | null;
}

export interface SyncInput {
  readonly leader: string;
  readonly membership: MembershipRecord;
  /** Member -> the incarnation that is registered in etcd. */
  readonly registered: Readonly<Record<string, string>>;
  readonly record: InSyncRecord | undefined;
  readonly walsenders: readonly Walsender[];
  readonly flushedLsn: string;
  /** A follower further behind than this isn't taken in yet: commits would wait while it catches up. */
  readonly nearBytes: bigint;
}

/**
 * - `keep`: the record is right.
 * - `shrink`: the record is written first, then the setting.
 * - `grow`: behind the barrier the proof, then the record; then the setting. Also when a voter's new incarnation replaces an old one.
 * - `alone`: the only voter of the membership is the leader: recorded as degraded. Where there was a voter before, the setting
 *   follows only when nothing that was promised with it can be answered any more.
 * - `wait`: for the reason; nothing may be granted on a record that isn't there.
 */
export type SyncPlan =
  | { readonly kind: 'keep' }
  | { readonly kind: 'alone' }
  | { readonly kind: 'shrink'; readonly voters: readonly Voter[] }
  | { readonly kind: 'grow'; readonly voters: readonly Voter[] }
  | { readonly kind: 'wait'; readonly reason: string };

/**
 * What the recorded in-sync set should become. A voter that is paused, lagging or gone is never taken out: commits wait for
 * it (SYSTEM.md). Only two things take one out: the membership no longer has it as a voter, or its data directory is another
 * one (a new incarnation is registered: the old one's data exists nowhere any more) and the new one is near. Until then
 * commits wait, and the old name stays in the record: it was true when it was confirmed on, and no failover can be proved by it.
 */
export function planSyncSet(input: SyncInput): SyncPlan {
  const { leader, membership, registered, record } = input;
  const expected = Object.entries(membership.members)
    .filter(([member, { role }]) => role === 'voter' && member !== leader)
    .map(([member]) => member);
  const isExpected = ({ member }: Voter) => expected.includes(member);
  const standing = record === undefined || record.degraded ? [] : record.voters;
  const ready = expected.flatMap((member) => {
    const incarnation = registered[member];
    return incarnation !== undefined && isNear(input, { member, incarnation })
      ? [{ member, incarnation }]
      : [];
  });

  if (record === undefined) {
    if (expected.length === 0) return { kind: 'alone' };
    const missing = expected.filter((member) => !ready.some((voter) => voter.member === member));
    return missing.length === 0
      ? { kind: 'grow', voters: ready }
      : {
          kind: 'wait',
          reason: `the first lease needs every expected voter streaming: waiting for ${missing.join(', ')}`,
        };
  }
  if (record.degraded) return ready.length === 0 ? { kind: 'keep' } : { kind: 'grow', voters: ready };

  const others = standing.filter(({ member }) => member !== leader);
  const staying = others.filter(isExpected);
  if (staying.length === 0) {
    if (expected.length === 0) return { kind: 'alone' };
    if (ready.length > 0) return { kind: 'grow', voters: ready };
    return {
      kind: 'wait',
      reason: 'the recorded in-sync set names no follower of this leader, and none is near yet',
    };
  }
  const current = staying.map((voter) => ready.find(({ member }) => member === voter.member) ?? voter);
  const target = [...current, ...ready.filter(({ member }) => !current.some((one) => one.member === member))];
  if (sameVoters(target, standing)) return { kind: 'keep' };
  // A set without news only loses names: every confirmed decision is on those that stay.
  return target.every((voter) => hasVoter(standing, voter))
    ? { kind: 'shrink', voters: target }
    : { kind: 'grow', voters: target };
}

const sameVoter = (a: Voter, b: Voter) => a.member === b.member && a.incarnation === b.incarnation;
const hasVoter = (voters: readonly Voter[], wanted: Voter) =>
  voters.some((voter) => sameVoter(voter, wanted));

export const sameVoters = (a: readonly Voter[], b: readonly Voter[]): boolean =>
  a.length === b.length && a.every((voter) => hasVoter(b, voter));

function isNear({ walsenders, flushedLsn, nearBytes }: SyncInput, voter: Voter): boolean {
  const row = onlyRow(walsenders, voter);
  const flushed = row?.flushedLsn === null || row === undefined ? undefined : parseLsn(row.flushedLsn);
  const mine = parseLsn(flushedLsn);
  return (
    row?.state === 'streaming' && flushed !== undefined && mine !== undefined && mine - flushed <= nearBytes
  );
}

/** A name that is connected twice counts twice in a quorum: until one of the two has gone, neither is trusted. */
function onlyRow(walsenders: readonly Walsender[], voter: Voter): Walsender | undefined {
  const rows = walsenders.filter(({ name }) => name === followerName(voter));
  return rows.length === 1 ? rows[0] : undefined;
}

/** Whether the leader's walsenders obey exactly this set, each once. */
export function obeysExactly(walsenders: readonly Walsender[], voters: readonly Voter[]): boolean {
  const counted = walsenders.filter(({ syncPriority }) => syncPriority > 0);
  return (
    counted.length === voters.length &&
    voters.every((voter) => counted.filter(({ name }) => name === followerName(voter)).length === 1) &&
    counted.every(({ syncState, state }) => syncState === 'quorum' && state === 'streaming')
  );
}

/** Whether all of these voters have flushed up to `lsn`. */
export function allFlushed(walsenders: readonly Walsender[], voters: readonly Voter[], lsn: string): boolean {
  const wanted = parseLsn(lsn);
  if (wanted === undefined) return false;
  return voters.every((voter) => {
    const flushed = onlyRow(walsenders, voter)?.flushedLsn;
    const reached = flushed === null || flushed === undefined ? undefined : parseLsn(flushed);
    return reached !== undefined && reached >= wanted;
  });
}
