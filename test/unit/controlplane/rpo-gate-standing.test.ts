import { describe, expect, test } from 'vitest';
import { type ClusterView, emptyClusterView } from '../../../src/controlplane/cluster-view.ts';
import { rpoStanding, topologyRefusal } from '../../../src/controlplane/rpo-gate-standing.ts';
import type { Versioned } from '../../../src/controlplane/store.ts';
import type { Contract } from '../../../src/domain/contract.ts';
import type { AuthorityRecord, ClaimRecord, MemberRole } from '../../../src/domain/records.ts';

const NOW = Date.parse('2026-01-01T12:00:00.000Z');
const at = (ms: number) => new Date(NOW + ms).toISOString();
const versioned = <T>(value: T): Versioned<T> => ({ value, revision: '7' });

const contract: Pick<Contract, 'rpo'> = {
  rpo: { budgetMs: 5_000, gateMs: 3_000, releaseMs: 1_000, action: 'degrade' },
};
const authority: AuthorityRecord = {
  term: 3,
  leader: 'a',
  phase: 'open',
  operation: null,
  prefix: null,
  since: at(-9_000),
};
const advertised: ClaimRecord = {
  term: 3,
  status: 'advertised',
  reason: null,
  budgetMs: 5_000,
  lagMs: 200,
  validUntil: at(4_800),
  action: 'degrade',
  decisionsPerSecond: null,
  changedAt: at(-8_000),
  changedBecause: 'the remote follower is near',
  at: at(0),
};
const members = (role: MemberRole) => ({
  a: { region: 'new-york', role: 'voter' as const },
  c: { region: 'madrid', role },
});
const view = (claim: ClaimRecord | undefined, change: Partial<ClusterView> = {}): ClusterView => ({
  ...emptyClusterView('c1'),
  authority: versioned(authority),
  membership: versioned({ epoch: 1, members: members('observer') }),
  claim: claim === undefined ? undefined : versioned(claim),
  ...change,
});
const withdrawn: ClaimRecord = {
  ...advertised,
  status: 'withdrawn',
  reason: 'the remote follower is behind the gate',
  lagMs: 3_100,
  validUntil: null,
};
const noObserver = { membership: versioned({ epoch: 1, members: members('voter') }) };

describe('a planned change of topology', () => {
  const rows: readonly (readonly [string, ClusterView, RegExp])[] = [
    ['is allowed while the claim is advertised', view(advertised), /^allowed$/],
    [
      'is refused once the claim is withdrawn, also below the budget',
      view({ ...withdrawn, lagMs: 2_600 }),
      /withdrawn.*lag 2\.6 s/,
    ],
    ['is refused once it has lapsed', view({ ...advertised, validUntil: at(-1) }), /lapsed/],
    ['is refused while nobody says anything', view(undefined), /unknown/],
    ['is refused on a claim of an older term', view({ ...advertised, term: 2 }), /unknown.*term 2/],
    ['is refused on a claim of a later term', view({ ...advertised, term: 4 }), /unknown.*term 4/],
    ['is refused while no authority is known', view(advertised, { authority: undefined }), /unknown/],
    ['is refused while the members are not known', view(undefined, { membership: undefined }), /unknown/],
    ['is not refused without an observer', view(undefined, noObserver), /^allowed$/],
    ['is not refused without an observer, whatever was claimed', view(withdrawn, noObserver), /^allowed$/],
  ];

  test.each(rows)('%s', (_claim, given, why) => {
    expect(topologyRefusal(given, contract, NOW)?.message ?? 'allowed').toMatch(why);
  });

  test('is refused by a code of its own, naming cluster, budget and how to watch', () => {
    const refusal = topologyRefusal(view(withdrawn), contract, NOW);
    expect(refusal?.code).toBe('rpo_gate_on');
    expect(refusal?.message).toMatch(/c1.*5\.0 s/);
    expect(refusal?.next).toContain('capstan rpo show c1');
  });
});

const acts = (given: ClusterView) => rpoStanding(given, contract, NOW).acts;

describe('the standing of the gate', () => {
  const throttled: Pick<Contract, 'rpo'> = {
    rpo: { ...contract.rpo, action: 'throttle', throttle: { decisionsPerSecond: 40 } },
  };

  test('acts whenever there is a claim that is not proved', () => {
    expect(acts(view(advertised))).toBe(false);
    expect(acts(view(withdrawn))).toBe(true);
    expect(acts(view({ ...advertised, validUntil: at(0) }))).toBe(true);
    expect(acts(view(undefined))).toBe(true);
    expect(acts(view(withdrawn, noObserver))).toBe(false);
  });

  test('takes the action from the claim of this term, else from the contract', () => {
    const said = { ...withdrawn, action: 'throttle' as const, decisionsPerSecond: 7 };
    const action = { action: 'throttle', decisionsPerSecond: 7 };
    expect(rpoStanding(view(said), contract, NOW)).toMatchObject(action);
    expect(rpoStanding(view(withdrawn), throttled, NOW)).toMatchObject({ action: 'degrade' });
    for (const silent of [view(undefined), view({ ...withdrawn, term: 2 })]) {
      const standing = rpoStanding(silent, throttled, NOW);
      expect(standing).toMatchObject({ acts: true, action: 'throttle', decisionsPerSecond: 40 });
    }
  });

  test('says since when and why it is so, of a lapse too', () => {
    expect(rpoStanding(view(withdrawn), contract, NOW)).toMatchObject({
      since: withdrawn.changedAt,
      because: withdrawn.changedBecause,
    });
    const lapsed = rpoStanding(view({ ...advertised, validUntil: at(-700) }), contract, NOW);
    expect(lapsed).toMatchObject({ since: at(-700), because: 'nothing has proved it since' });
  });
});
