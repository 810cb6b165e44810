import { describe, expect, test } from 'vitest';
import { type AutomaticInputs, decideAutomatic, type StandsBy } from '../../../src/agent/automatic/decide.ts';
import { nextSight, type Sight } from '../../../src/agent/automatic/sight.ts';
import { type ClusterView, emptyClusterView } from '../../../src/controlplane/cluster-view.ts';
import { EMPTY_ESTATE_VIEW } from '../../../src/controlplane/estate-snapshot.ts';
import type { Contract } from '../../../src/domain/contract.ts';
import type { AuthorityRecord, MemberState } from '../../../src/domain/records.ts';

const SINCE = '2026-11-22T20:00:00.000Z';
const WALL_MS = Date.parse(SINCE) + 3_600_000;
/** TTL 3 s, drift 300 ms, grace 500 ms. */
const LAPSE_MS = 3_800;

const POLICY = {
  automatic: true,
  graceMs: 500,
  deadAfterMs: 1_300,
  adoptAfterMs: 10_000,
  flap: { max: 2, withinMs: 600_000 },
};
const contract = {
  lease: { ttlMs: 3_000, renewEveryMs: 700, marginMs: 400, driftMs: 300 },
  deadlines: { openMs: 30_000 },
  failover: POLICY,
} as unknown as Contract;

const at = <T>(value: T, revision = '1') => ({ value, revision });
const region = 'new-york';

const authority: AuthorityRecord = {
  term: 3,
  leader: 'a',
  phase: 'open',
  operation: null,
  prefix: null,
  since: SINCE,
};

const LEASE = { term: 3, leader: 'a', grantId: 'g', sequence: 9, ttlMs: 3_000, renewedAt: SINCE };
const IN_SYNC = {
  term: 3,
  epoch: 1,
  voters: [
    { member: 'b', incarnation: 'b-1' },
    { member: 'e', incarnation: 'e-1' },
  ],
  required: 1,
  degraded: false,
  since: SINCE,
};

function viewWith(over: Partial<ClusterView> = {}): ClusterView {
  return {
    ...emptyClusterView('c1'),
    authority: at(authority, '10'),
    membership: at({
      epoch: 1,
      members: {
        a: { region, role: 'voter' },
        b: { region, role: 'voter' },
        c: { region: 'madrid', role: 'observer' },
        e: { region: 'madrid', role: 'voter' },
      },
    }),
    inSync: at(IN_SYNC),
    lease: at(LEASE, '20'),
    ...over,
  };
}

const sight: Sight = {
  authorityRevision: '10',
  authoritySinceMs: 0,
  leaseRevision: '20',
  leaseChangedAtMs: 100_000,
  heartbeatRevision: '30',
  heartbeatChangedAtMs: 100_000,
  operation: undefined,
  coordinatorSeenAtMs: 0,
};

const lapsed: AutomaticInputs = {
  member: 'b',
  state: 'following',
  incarnation: 'b-1',
  contract,
  view: viewWith(),
  sight,
  stopped: undefined,
  refusals: 0,
  staleForMs: 900,
  nowMs: 100_000 + LAPSE_MS,
  wallMs: WALL_MS,
};

const why = (over: Partial<AutomaticInputs>): string => {
  const decision = decideAutomatic({ ...lapsed, ...over });
  return decision.kind === 'stand-by' ? decision.why : decision.kind;
};

describe('an agent begins a failover', () => {
  test('when the lease record has stood still for TTL, drift and grace, naming what it saw', () => {
    expect(decideAutomatic(lapsed)).toEqual({
      kind: 'begin',
      seen: { authorityRevision: '10', leaseRevision: '20', leaderIsDead: false },
      reason: 'a has not renewed its lease of term 3 for 3.8 s',
    });
    expect(why({ nowMs: lapsed.nowMs - 1 })).toBe('lease-held');
  });

  test('sooner when the host refuses connections and the agent is silent, and not by one of the two', () => {
    const dead = { refusals: 2, nowMs: 100_000 + 1_300 };
    expect(decideAutomatic({ ...lapsed, ...dead })).toEqual({
      kind: 'begin',
      seen: { authorityRevision: '10', leaseRevision: '20', leaderIsDead: true },
      reason: 'the Postgres of a refuses connections, and its agent is silent for 1.3 s',
    });
    expect(why({ ...dead, refusals: 1 })).toBe('lease-held');
    expect(why({ ...dead, nowMs: dead.nowMs - 1 })).toBe('lease-held');
    expect(why({ ...dead, sight: { ...sight, heartbeatChangedAtMs: 100_001 } })).toBe('lease-held');
    expect(why({ ...dead, sight: { ...sight, leaseChangedAtMs: 100_001 } })).toBe('lease-held');
    const { deadAfterMs: _none2, ...patient } = POLICY;
    expect(why({ ...dead, contract: { ...contract, failover: patient } })).toBe('lease-held');
  });

  test('never by the wall clock: a step of it changes nothing', () => {
    for (const wallMs of [0, WALL_MS - 300_000, WALL_MS + 300_000]) {
      expect(why({ wallMs })).toBe('begin');
      expect(why({ wallMs, nowMs: lapsed.nowMs - 1 })).toBe('lease-held');
    }
  });

  test('after a first lease that never came only when the leader had its whole time to open', () => {
    for (const lease of [undefined, at({ ...LEASE, term: 2 }, '20')]) {
      const view = viewWith({ lease });
      expect(why({ view, nowMs: 29_999 })).toBe('first-lease');
      expect(why({ view, nowMs: 30_000 })).toBe('begin');
    }
  });
});

const gone = at({ by: 'x', reason: 'y', since: SINCE, forMs: 1, until: SINCE });
const paused = at({ by: 'x', reason: 'y', since: SINCE, forMs: null, until: null });
const block = at({ by: 'agent:b', reason: 'too many', since: SINCE, failovers: [] });
const degraded = at({ ...IN_SYNC, voters: [], required: 0, degraded: true });
const byHand = { ...contract, failover: { ...POLICY, automatic: false } };
const { failover: _none, ...older } = contract;

const refusals: readonly [StandsBy, string, Partial<AutomaticInputs>][] = [
  ['off', 'the contract says so', { contract: byHand }],
  ['off', 'the contract is older than automatic failovers', { contract: older }],
  ['off', 'no contract was seen', { contract: undefined }],
  ['stale', 'the watch was not proven lately', { staleForMs: 2_001 }],
  ['stale', 'the watch was never proven', { staleForMs: Infinity }],
  ['no-authority', 'there is no cluster', { view: undefined }],
  ['no-authority', 'there is no authority', { view: viewWith({ authority: undefined }) }],
  ['bootstrap', 'the first member initialises', { view: inPhase('bootstrap', null) }],
  ['paused', 'a person paused it', { view: viewWith({ pause: paused }) }],
  ['blocked', 'too many went before', { view: viewWith({ block }) }],
  ['driven', 'an operation is active', { view: viewWith({ activeOperation: at('f1') }) }],
  ['not-open', 'it is fenced by nobody known', { view: inPhase('fenced', null) }],
  ['not-open', 'a leader is decided', { view: inPhase('promoting', 'b') }],
  ['leads', 'it leads itself', { member: 'a', incarnation: 'a-1' }],
  ['not-a-voter', 'it is an observer', { member: 'c' }],
  ['not-a-voter', 'it is no member', { member: 'z' }],
  ['other-region', 'its region is another', { member: 'e', incarnation: 'e-1' }],
  ['degraded', 'the leader is its own durable set', { view: viewWith({ inSync: degraded }) }],
  ['degraded', 'nothing is recorded', { view: viewWith({ inSync: undefined }) }],
  ['not-in-sync', 'another incarnation is recorded', { incarnation: 'b-2' }],
  ['not-in-sync', 'it has no incarnation', { incarnation: null }],
  ['lease-held', 'the lease was renewed', { sight: { ...sight, leaseChangedAtMs: 101_000 } }],
];

function inPhase(phase: AuthorityRecord['phase'], leader: string | null): ClusterView {
  return viewWith({ authority: at({ ...authority, phase, leader }, '10') });
}

test.each(refusals)('an agent stands by (%s) when %s', (expected, _when, over) => {
  expect(why(over)).toBe(expected);
});

const STATES: readonly MemberState[] = [
  'starting',
  'bootstrapping',
  'cloning',
  'frozen',
  'promoting',
  'opening',
  'leading',
  'fenced',
  'quarantined',
  'stopped',
];
test.each(STATES)('an agent whose member is %s stands by', (state) => {
  expect(why({ state })).toBe('not-following');
});

test('a pause that has run out counts as none', () => {
  expect(why({ view: viewWith({ pause: gone }) })).toBe('begin');
});

const begun = (...agesMs: number[]) =>
  at({ begun: agesMs.map((age) => ({ operation: 'f', at: new Date(WALL_MS - age).toISOString() })) });

describe('one failover too many', () => {
  test.each([
    ['begin', [] as number[]],
    ['begin', [1_000]],
    ['block', [1_000, 2_000]],
    ['block', [1_000, 600_000]],
    ['begin', [1_000, 600_001]],
    // Written before the clock was set back.
    ['block', [-300_000, 1_000]],
  ])('is a %s after those begun %j ms ago', (expected, ages) => {
    expect(why({ view: viewWith({ tally: begun(...ages) }) })).toBe(expected);
  });
});

describe('an agent adopts', () => {
  const view = viewWith({
    activeOperation: at('f1'),
    authority: at({ ...authority, phase: 'fenced' }, '10'),
  });
  const seen: Sight = { ...sight, operation: 'f1', coordinatorSeenAtMs: 50_000 };

  test('an operation that nobody was seen to drive for long enough, and no other', () => {
    expect(why({ view, sight: seen, nowMs: 59_999 })).toBe('driven');
    expect(decideAutomatic({ ...lapsed, view, sight: seen, nowMs: 60_000 })).toEqual({
      kind: 'adopt',
      operation: 'f1',
    });
    expect(why({ view, sight: { ...seen, operation: 'f0' }, nowMs: 60_000 })).toBe('driven');
  });

  test('what it drove itself and stopped at once, unless another drives it by then', () => {
    const own = { view, sight: seen, stopped: 'f1' };
    expect(why({ ...own, nowMs: 50_499 })).toBe('driven');
    expect(why({ ...own, nowMs: 50_500 })).toBe('adopt');
    expect(why({ ...own, stopped: 'f0', nowMs: 50_500 })).toBe('driven');
  });

  test('in any region, whatever its own member is doing', () => {
    const late = { view, sight: seen, nowMs: 60_000 };
    for (const member of ['a', 'b', 'c', 'e']) expect(why({ ...late, member })).toBe('adopt');
    for (const state of STATES) expect(why({ ...late, state })).toBe('adopt');
    expect(why({ ...late, member: 'z' })).toBe('not-a-member');
  });

  test('nothing while it is paused, blocked, off, or its watch is not proven', () => {
    const late = { sight: seen, nowMs: 60_000, view };
    expect(why({ ...late, view: { ...view, pause: paused } })).toBe('paused');
    expect(why({ ...late, view: { ...view, block } })).toBe('blocked');
    expect(why({ ...late, contract: byHand })).toBe('off');
    expect(why({ ...late, staleForMs: 2_001 })).toBe('stale');
  });
});

const see = (before: Sight | undefined, view: ClusterView, nowMs: number) =>
  nextSight(before, {
    view: { ...EMPTY_ESTATE_VIEW, clusters: new Map([['c1', view]]) },
    cluster: 'c1',
    nowMs,
  });

describe('what was seen', () => {
  test('counts from the first look, and anew from each renewal and each authority', () => {
    const first = see(undefined, viewWith(), 1_000);
    expect(first).toMatchObject({ leaseChangedAtMs: 1_000, authoritySinceMs: 1_000 });
    const same = see(first, viewWith(), 9_000);
    expect(same).toEqual(first);
    const renewed = see(same, viewWith({ lease: at(LEASE, '21') }), 9_100);
    expect(renewed).toMatchObject({ leaseChangedAtMs: 9_100, authoritySinceMs: 1_000 });
    const next = see(renewed, viewWith({ authority: at(authority, '22') }), 9_200);
    expect(next).toMatchObject({ leaseChangedAtMs: 9_200, authoritySinceMs: 9_200 });
  });

  test('counts a coordinator’s silence from when it was last there, and from the first look at the operation', () => {
    const driver = at({ operation: 'f1', coordinator: 'h/1', since: SINCE });
    const other = at({ operation: 'f0', coordinator: 'h/0', since: SINCE });
    const active = viewWith({ activeOperation: at('f1') });
    const driven = { ...active, coordinators: new Map([['h/1', driver]]) };
    const first = see(undefined, driven, 1_000);
    const later = see(first, driven, 5_000);
    expect(later.coordinatorSeenAtMs).toBe(5_000);
    const silent = see(later, active, 7_000);
    expect(silent.coordinatorSeenAtMs).toBe(5_000);
    expect(
      see(silent, { ...active, coordinators: new Map([['h/0', other]]) }, 8_000).coordinatorSeenAtMs,
    ).toBe(5_000);
    expect(see(silent, viewWith({ activeOperation: at('f2') }), 9_000).coordinatorSeenAtMs).toBe(9_000);
  });
});
