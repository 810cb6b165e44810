import { describe, expect, test } from 'vitest';
import { emptyClusterView, type ClusterView } from '../../../src/controlplane/cluster-view.ts';
import { planRegional, type RegionalPlanInputs } from '../../../src/controlplane/failover/regional-plan.ts';
import { rolesAround } from '../../../src/controlplane/failover/regional-membership.ts';
import { nextMembership } from '../../../src/controlplane/membership/next-membership.ts';
import { parseContract } from '../../../src/config/contract.ts';
import type { Versioned } from '../../../src/controlplane/store.ts';
import type { HeartbeatRecord, ProgressRecord } from '../../../src/domain/agent-reports.ts';
import type { ClaimRecord, LeaseRecord, MembershipRecord } from '../../../src/domain/records.ts';

const NOW = Date.parse('2026-01-01T12:00:00.000Z');
const ago = (ms: number) => new Date(NOW - ms).toISOString();
const versioned = <T>(value: T): Versioned<T> => ({ value, revision: '7' });
const contract = parseContract(
  `
version: 1
lease: {ttl: 3s, renewEvery: 700ms, margin: 400ms, drift: 300ms}
durability: {openDegraded: true}
rpo: {budget: 5s, gate: 3s, release: 1s, action: degrade}
rto: {max: 10m}
movePause: {max: 1s}
deadlines: {decision: 2500ms, read: 2s, lockWait: 1s, etcd: 2s, freeze: 15s, promote: 60s, open: 30s}
admission: {queuePerShardMax: 2000, batchCommandsMax: 128}
liveness: {heartbeatEvery: 1s, heartbeatTtl: 5s, clockSkewMax: 500ms}
`,
  'test',
);

const membership: MembershipRecord = {
  epoch: 2,
  members: {
    a: { region: 'new-york', role: 'voter' },
    b: { region: 'new-york', role: 'voter' },
    c: { region: 'madrid', role: 'observer' },
    e: { region: 'madrid', role: 'learner' },
  },
};

const beat = (member: string, over: Partial<HeartbeatRecord> = {}): HeartbeatRecord => ({
  member,
  cluster: 'c1',
  region: membership.members[member]?.region ?? '',
  incarnation: `${member}-1`,
  state: 'following',
  reason: null,
  term: 3,
  epoch: 2,
  timeline: 1,
  postgresUp: true,
  writable: false,
  receivedLsn: '0/5000000',
  replayedLsn: '0/5000000',
  flushedLsn: '0/5000000',
  leaseLeftMs: null,
  synchronousStandbyNames: null,
  followers: [],
  version: 'test',
  at: ago(400),
  ...over,
});

const progress = (member: string, over: Partial<ProgressRecord> = {}): ProgressRecord => ({
  member,
  incarnation: `${member}-1`,
  term: 3,
  timeline: 1,
  lsn: '0/5000000',
  positions: { '184': '100' },
  lineageDigest: 'x',
  replayedUntil: member === 'a' ? null : ago(9_000),
  peak: member === 'a' ? { decisionsPerSecond: 10, bytesPerSecond: 9, shards: { '184': 10 } } : null,
  at: ago(8_000),
  ...over,
});

interface Changes {
  readonly view?: Partial<ClusterView>;
  readonly beats?: Readonly<Record<string, Partial<HeartbeatRecord> | null>>;
  readonly progress?: readonly ProgressRecord[];
  readonly lease?: Partial<LeaseRecord>;
}

/** The leader was last heard 8 s ago; its last renewal is 7.5 s old. */
function plan(changes: Changes = {}, over: Partial<RegionalPlanInputs> = {}) {
  const beats: Changes['beats'] = { a: null, b: null, ...changes.beats };
  const heartbeats = ['a', 'b', 'c', 'e'].flatMap((member): [string, Versioned<HeartbeatRecord>][] => {
    const mine = beats[member];
    return mine === null ? [] : [[member, versioned(beat(member, mine))]];
  });
  const view: ClusterView = {
    ...emptyClusterView('c1'),
    authority: versioned({
      term: 3,
      leader: 'a',
      phase: 'open',
      operation: null,
      prefix: null,
      since: ago(60_000),
    }),
    membership: versioned(membership),
    inSync: versioned({
      term: 3,
      epoch: 2,
      voters: [{ member: 'b', incarnation: 'b-1' }],
      required: 1,
      degraded: false,
      since: ago(60_000),
    }),
    lease: versioned({
      term: 3,
      leader: 'a',
      grantId: 'g',
      sequence: 1,
      ttlMs: 3_000,
      renewedAt: ago(7_500),
      ...changes.lease,
    }),
    members: new Map(
      ['a', 'b', 'c', 'e'].map((member) => [
        member,
        versioned({
          name: member,
          cluster: 'c1',
          region: '',
          incarnation: `${member}-1`,
          systemIdentifier: '1',
          registeredAt: '',
        }),
      ]),
    ),
    heartbeats: new Map(heartbeats),
    ...changes.view,
  };
  const published = changes.progress ?? [progress('a'), progress('c')];
  return planRegional({
    view,
    mapVersion: 5,
    contract,
    nowMs: NOW,
    region: 'madrid',
    progress: new Map(published.map((record) => [record.member, record])),
    ...over,
  });
}
const codes = (changes: Changes = {}, over: Partial<RegionalPlanInputs> = {}) =>
  plan(changes, over).refusals.map(({ code }) => code);

describe('a plan for another region', () => {
  test('takes nobody who holds what an earlier change of leader left behind', () => {
    const promotion = {
      term: 3,
      operation: 'failover-1',
      member: 'a',
      timeline: 2,
      switchLsn: '0/4000000',
      positions: {},
      promotedAt: '',
    };
    const { candidates, excluded, refusals } = plan({ view: { promotion: versioned(promotion) } });
    expect(candidates).toEqual([]);
    expect(excluded.find(({ member }) => member === 'c')?.reasons.join()).toMatch(/a left it at 0\/4000000/);
    expect(refusals.map(({ code }) => code)).toEqual(['no_candidate']);
  });

  test('names its candidates, its loss against the budget, and its time against the contract', () => {
    expect(plan()).toMatchObject({
      path: 'regional',
      region: 'madrid',
      candidates: [{ member: 'c' }],
      loss: { decisions: '50', forecast: { known: 0, possible: 50, exposureMs: 3_500, verdict: 'within' } },
      rto: { sinceFaultMs: 7_500, lapseMs: 0, proofMs: 3_300, takeOverMs: 5_000, within: true },
      automatic: { wouldRun: false },
      opensDegraded: true,
      refusals: [],
    });
    const { excluded } = plan();
    expect(excluded.map(({ member, reasons }) => [member, reasons[0]])).toEqual([
      ['a', 'it is the leader that is replaced'],
      ['b', 'it is in new-york, not in madrid'],
      ['e', 'it is a learner: it catches up, or is on its way out'],
    ]);
  });

  test('forecasts the take-over from what was measured, without the wait for the proof', () => {
    const measured = [
      { operation: 'in', path: 'in-region', ms: 700, proofMs: 0 },
      { operation: 'out', path: 'regional', ms: 4_500, proofMs: 3_300 },
    ] as const;
    expect(plan({}, { measured })).toMatchObject({
      rto: { takeOverMs: 1_200, proofMs: 3_300, forecastMs: 12_000 },
      pause: { expectedMs: 4_500 },
    });
    expect(plan({}, { measured, attestIsolated: 'off' })).toMatchObject({
      rto: { proofMs: 0 },
      fence: { statement: 'attested: off' },
      approvals: ['attest-isolated:off'],
    });
  });

  test('counts a leader that still renews as able to decide for a whole right from now', () => {
    const healthy: Changes = { beats: { a: { state: 'leading' } }, lease: { renewedAt: ago(500) } };
    const { refusals, loss, rto } = plan(healthy);
    expect(refusals.map(({ code }) => code)).toEqual(['leader_healthy', 'loss_over_budget']);
    expect(loss.forecast).toMatchObject({ possible: 120, exposureMs: 11_000 });
    expect(rto).toMatchObject({ sinceFaultMs: 500, lapseMs: 2_500 });
    expect(refusals[0]?.next).toContain('capstan failover run c1 --region madrid --force');
  });

  test.each([
    ['another term', { term: 2 }],
    ['another incarnation', { incarnation: 'a-0' }],
  ])('believes nothing that the leader published under %s', (_, other) => {
    const found = plan({ progress: [progress('a', other), progress('c')] });
    expect(found.loss.decisions).toBe('unknown');
    expect(found.refusals.map(({ code }) => code)).toEqual(['loss_over_budget']);
  });

  test('is bounded by the claim only under this term and with one observer, which is the target', () => {
    const claim: ClaimRecord = {
      term: 3,
      status: 'advertised',
      reason: null,
      budgetMs: 5_000,
      lagMs: 100,
      validUntil: ago(0),
      action: 'degrade',
      decisionsPerSecond: null,
      changedBecause: 'near',
      changedAt: ago(60_000),
      at: ago(8_000),
    };
    const late = [progress('a'), progress('c', { positions: {}, replayedUntil: ago(60_000) })];
    const exposureOf = (view: Partial<ClusterView>) =>
      plan({ progress: late, view }).loss.forecast?.exposureMs;
    expect(exposureOf({ claim: versioned(claim) })).toBe(3_000);
    expect(exposureOf({ claim: versioned({ ...claim, status: 'withdrawn' }) })).toBe(55_500);
    expect(exposureOf({ claim: versioned({ ...claim, term: 2 }) })).toBe(55_500);
    const two = { ...membership.members, f: { region: 'lisbon', role: 'observer' } } as const;
    expect(exposureOf({ claim: versioned(claim), membership: versioned({ epoch: 2, members: two }) })).toBe(
      55_500,
    );
  });

  test('over the budget is refused unless as many are accepted, and unknown unless that is accepted', () => {
    const behind = {
      progress: [progress('a'), progress('c', { positions: {}, replayedUntil: ago(60_000) })],
    };
    expect(codes(behind)).toEqual(['loss_over_budget']);
    expect(plan(behind).refusals[0]).toMatchObject({ override: '--accept-loss' });
    expect(codes(behind, { acceptLoss: 149 })).toEqual(['loss_over_budget']);
    expect(codes(behind, { acceptLoss: 150 })).toEqual([]);
    expect(codes({ progress: [] })).toEqual(['loss_over_budget']);
    expect(codes({ progress: [] }, { acceptLoss: 0 })).toEqual([]);
  });

  test('is refused for the region of the leader, without members, candidates or leave to open degraded', () => {
    expect(codes({}, { region: 'new-york' })).toEqual(['region_of_leader']);
    expect(codes({}, { region: 'lisbon' })).toEqual(['region_without_member']);
    expect(codes({ beats: { c: null } })).toEqual(['no_candidate']);
    expect(codes({ beats: { c: { incarnation: 'c-2' } } })).toEqual(['no_candidate']);
    expect(codes({}, { target: 'b' })).toEqual(['target_not_candidate']);
    const strict = { contract: { ...contract, durability: { openDegraded: false } } };
    expect(codes({}, strict)).toEqual(['degraded_not_allowed']);
    expect(codes({}, { ...strict, acceptDegraded: true })).toEqual([]);
  });

  test('needs no in-sync record: a degraded leader is fenced by its own end', () => {
    expect(codes({ view: { inSync: undefined } })).toEqual([]);
  });

  test('has a hash over its region and verdict, and not over what moves all the time', () => {
    const { hash } = plan();
    expect(plan({ beats: { c: { replayedLsn: '0/9000000' } } }).hash).toBe(hash);
    const ahead = progress('a', { positions: { '184': '101' } });
    expect(plan({ progress: [ahead, progress('c')] }).hash).toBe(hash);
    expect(plan({}, { acceptLoss: 9 }).hash).toBe(hash);
    expect(plan({ progress: [] }).hash).not.toBe(hash);
    expect(plan({}, { region: 'lisbon' }).hash).not.toBe(hash);
  });
});

test('around a leader its region votes, the others observe, and a learner stays one, one epoch later', () => {
  const changes = rolesAround(membership, 'c');
  expect(nextMembership({ membership, leader: 'c', changes })).toEqual({
    epoch: 3,
    members: {
      a: { region: 'new-york', role: 'observer' },
      b: { region: 'new-york', role: 'observer' },
      c: { region: 'madrid', role: 'voter' },
      e: { region: 'madrid', role: 'learner' },
    },
  });
});
