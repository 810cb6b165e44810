import { describe, expect, it, test } from 'vitest';
import type { ClaimRecord, MembershipRecord } from '../../../src/domain/records.ts';
import { claimWords, readClaim } from '../../../src/domain/rpo-claim.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const at = (ms: number) => new Date(NOW + ms).toISOString();

const membership: MembershipRecord = {
  epoch: 1,
  members: { a: { region: 'new-york', role: 'voter' }, c: { region: 'madrid', role: 'observer' } },
};
const advertised: ClaimRecord = {
  term: 3,
  status: 'advertised',
  reason: null,
  budgetMs: 5_000,
  lagMs: 100,
  validUntil: at(5_000),
  action: 'degrade',
  decisionsPerSecond: null,
  changedAt: at(-9_000),
  changedBecause: 'the remote follower is near',
  at: at(0),
};
const withdrawn: ClaimRecord = {
  ...advertised,
  status: 'withdrawn',
  reason: 'the remote follower is behind the gate',
  lagMs: 2_600,
  validUntil: null,
};
const read = (record: ClaimRecord | undefined, nowMs = NOW, term: number | undefined = 3) =>
  readClaim(record, { membership, term, nowMs });

describe('an RPO claim', () => {
  it('is advertised only until it lapses by itself, and a lapsed one shows no lag', () => {
    expect(read(advertised)).toMatchObject({ claim: 'advertised', lagMs: 100, since: at(-9_000) });
    expect(read(advertised, NOW + 2_000), 'the lag ages').toMatchObject({
      claim: 'advertised',
      lagMs: 2_000,
    });
    expect(read(advertised, NOW + 4_999)).toMatchObject({ claim: 'advertised', lagMs: 4_999 });
    expect(read(advertised, NOW + 5_000)).toMatchObject({ claim: 'lapsed', lagMs: null, since: at(5_000) });
  });

  it('of another term than the authority’s says nothing, whichever is the later', () => {
    for (const term of [2, 4, undefined]) {
      const reading = readClaim(advertised, { membership, term, nowMs: NOW });
      expect(reading).toMatchObject({ claim: 'unknown', lagMs: null, validUntil: null });
      expect(reading.reason).toContain('term 3');
    }
    expect(read(withdrawn, NOW, 4)).toMatchObject({ claim: 'unknown', lagMs: null });
  });

  it('that is withdrawn keeps its reason, and its lag grows while nothing newer is said', () => {
    expect(read(withdrawn)).toMatchObject({ claim: 'withdrawn', reason: withdrawn.reason, lagMs: 2_600 });
    expect(read(withdrawn, NOW + 3_000)).toMatchObject({ claim: 'withdrawn', lagMs: 5_600 });
    expect(read({ ...withdrawn, lagMs: null })).toMatchObject({ lagMs: null });
    expect(read({ ...withdrawn, at: 'soon' }), 'a time that can not be read').toMatchObject({ lagMs: null });
  });

  it('that nobody published is unknown, and never zero', () => {
    expect(read(undefined)).toMatchObject({ claim: 'unknown', lagMs: null });
    expect(claimWords(read(undefined))).toMatch(/is unknown.*the lag is not known/);
  });

  it('with a validity that can’t be read is not advertised', () => {
    for (const validUntil of [null, 'for ever'])
      expect(read({ ...advertised, validUntil })).toMatchObject({ claim: 'lapsed', lagMs: null });
  });
});

test('a cluster without a remote follower claims nothing, whatever a record says', () => {
  const voters: MembershipRecord = { epoch: 1, members: { a: { region: 'new-york', role: 'voter' } } };
  for (const record of [advertised, withdrawn, undefined])
    expect(readClaim(record, { membership: voters, term: 3, nowMs: NOW })).toMatchObject({ claim: 'none' });
  expect(readClaim(undefined, { membership: undefined, term: 3, nowMs: NOW })).toMatchObject({
    claim: 'unknown',
  });
});
