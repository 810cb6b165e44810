import { describe, expect, test } from 'vitest';
import { followerName, parseFollowerName, syncNames } from '../../../src/agent/follower-name.ts';
import {
  allFlushed,
  obeysExactly,
  planSyncSet,
  type SyncInput,
  type Walsender,
} from '../../../src/agent/sync-set.ts';
import type { InSyncRecord, Voter } from '../../../src/domain/records.ts';

const A: Voter = { member: 'a', incarnation: 'aaaa' };
const A2: Voter = { member: 'a', incarnation: 'aaab' };
const B: Voter = { member: 'b', incarnation: 'bbbb' };

const row = (voter: Voter, change: Partial<Walsender> = {}): Walsender => ({
  name: followerName(voter),
  state: 'streaming',
  syncState: 'quorum',
  syncPriority: 1,
  flushedLsn: '0/1000',
  replayedLsn: '0/1000',
  replyMark: '1',
  ...change,
});

const record = (voters: readonly Voter[]): InSyncRecord => ({
  term: 1,
  epoch: 1,
  voters,
  required: voters.length,
  degraded: voters.length === 0,
  since: '',
});

const plan = (given: Partial<SyncInput>, voters: readonly string[] = ['a', 'b']) =>
  planSyncSet({
    leader: 'leader',
    membership: {
      epoch: 1,
      members: Object.fromEntries(
        [...['leader', ...voters].map((name) => [name, 'voter'] as const), ['far', 'observer'] as const].map(
          ([name, role]) => [name, { region: 'r', role }],
        ),
      ),
    },
    registered: { a: 'aaaa', b: 'bbbb', far: 'ffff', leader: 'eeee' },
    record: undefined,
    walsenders: [],
    flushedLsn: '0/1000',
    nearBytes: 256n,
    ...given,
  });

describe('the recorded in-sync set', () => {
  test('is first recorded with every expected voter, and not before', () => {
    expect(plan({ walsenders: [row(A)] })).toMatchObject({ kind: 'wait' });
    expect(plan({ walsenders: [row(A), row(B)] })).toEqual({ kind: 'grow', voters: [A, B] });
  });

  test('of a leader that is the only voter is degraded, and says so', () => {
    expect(plan({}, [])).toEqual({ kind: 'alone' });
    expect(plan({ record: record([]) }, [])).toEqual({ kind: 'keep' });
  });

  test('keeps a voter that is gone, paused or behind: commits wait for it', () => {
    expect(plan({ record: record([A, B]), walsenders: [row(A)] })).toEqual({ kind: 'keep' });
    expect(plan({ record: record([A]), walsenders: [] }, ['a'])).toEqual({ kind: 'keep' });
    const behind = row(A, { flushedLsn: '0/1' });
    expect(plan({ record: record([A]), walsenders: [behind] }, ['a'])).toEqual({ kind: 'keep' });
  });

  test('takes in only who streams, is near, is registered and is connected once', () => {
    const degraded = { record: record([]) };
    expect(plan({ ...degraded, walsenders: [row(A)] })).toEqual({ kind: 'grow', voters: [A] });
    for (const walsenders of [
      [row(A, { state: 'catchup' })],
      [row(A, { flushedLsn: '0/1' })],
      [row(A, { flushedLsn: null })],
      [row(A), row(A)],
      [row(A2)],
      [row({ member: 'far', incarnation: 'ffff' })],
    ])
      expect(plan({ ...degraded, walsenders })).toEqual({ kind: 'keep' });
  });

  test('replaces a voter by its new incarnation only once that is near; until then commits wait', () => {
    const registered = { a: 'aaab', b: 'bbbb' };
    expect(plan({ record: record([A, B]), registered, walsenders: [row(B)] })).toEqual({ kind: 'keep' });
    expect(plan({ record: record([A, B]), registered, walsenders: [row(B), row(A2)] })).toEqual({
      kind: 'grow',
      voters: [A2, B],
    });
  });

  test('shrinks only when the membership has lost a voter', () => {
    expect(plan({ record: record([A, B]), walsenders: [row(A), row(B)] }, ['a'])).toEqual({
      kind: 'shrink',
      voters: [A],
    });
  });

  test('is degraded once the membership has no other voter, and waits while it has one that is not near', () => {
    expect(plan({ record: record([A]), walsenders: [row(A)] }, [])).toEqual({ kind: 'alone' });
    expect(plan({ record: record([A]), walsenders: [row(A)] }, ['b'])).toMatchObject({ kind: 'wait' });
  });

  test('never counts a learner, though it is the nearest', () => {
    const membership = {
      epoch: 2,
      members: { leader: { region: 'r', role: 'voter' }, a: { region: 'r', role: 'learner' } },
    } as const;
    const near = { membership, walsenders: [row(A)] };
    expect(plan({ ...near, record: record([]) })).toEqual({ kind: 'keep' });
    expect(plan({ ...near, record: undefined })).toEqual({ kind: 'alone' });
    expect(plan({ ...near, record: record([A]) })).toEqual({ kind: 'alone' });
  });

  test('that names only the new leader itself grants nothing until a follower is near', () => {
    const mine = record([{ member: 'leader', incarnation: 'eeee' }]);
    expect(plan({ record: mine })).toMatchObject({ kind: 'wait' });
    expect(plan({ record: mine, walsenders: [row(A)] })).toEqual({ kind: 'grow', voters: [A] });
  });
});

test('exactly the set means: each once, nobody else, all of them streaming in the quorum', () => {
  expect(obeysExactly([row(A), row(B)], [A, B])).toBe(true);
  expect(obeysExactly([row(A)], [A, B])).toBe(false);
  expect(obeysExactly([row(A), row(B)], [A])).toBe(false);
  expect(obeysExactly([row(A), row(A)], [A, B])).toBe(false);
  expect(obeysExactly([row(A, { state: 'catchup' })], [A])).toBe(false);
  expect(obeysExactly([row(A), row(B, { syncPriority: 0, syncState: 'async' })], [A])).toBe(true);
});

test('all flushed compares LSNs as numbers', () => {
  expect(allFlushed([row(A, { flushedLsn: '0/10' })], [A], '0/9')).toBe(true);
  expect(allFlushed([row(A, { flushedLsn: '0/9' })], [A], '0/10')).toBe(false);
  expect(allFlushed([row(A)], [A, B], '0/1')).toBe(false);
});

test('a follower name carries member and incarnation and nothing else passes for one', () => {
  expect(parseFollowerName(followerName({ member: 'c1-new-york-1', incarnation: '0123456789ab' }))).toEqual({
    member: 'c1-new-york-1',
    incarnation: '0123456789ab',
  });
  for (const name of ['psql', 'a', 'a_', 'a_xyz', 'a_aaaa_clone', 'capstan_barrier'])
    expect(parseFollowerName(name)).toBeUndefined();
  expect(syncNames([B, A])).toBe('ANY 2 ("a_aaaa", "b_bbbb")');
  expect(syncNames([])).toBe('');
});
