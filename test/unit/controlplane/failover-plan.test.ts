import { describe, expect, it } from 'vitest';
import { type ClusterView, emptyClusterView } from '../../../src/controlplane/cluster-view.ts';
import { type FailoverPlanInputs, planFailover } from '../../../src/controlplane/failover/plan.ts';
import type { Versioned } from '../../../src/controlplane/store.ts';
import type { Contract } from '../../../src/domain/contract.ts';
import type { HeartbeatRecord } from '../../../src/domain/agent-reports.ts';
import type {
  AuthorityRecord,
  InSyncRecord,
  LeaseRecord,
  MembershipRecord,
} from '../../../src/domain/records.ts';

const NOW = Date.parse('2026-01-01T12:00:00.000Z');
const ago = (ms: number) => new Date(NOW - ms).toISOString();
const versioned = <T>(value: T): Versioned<T> => ({ value, revision: '7' });

const contract: Contract = {
  version: 1,
  lease: { ttlMs: 3_000, renewEveryMs: 700, marginMs: 400, driftMs: 300 },
  durability: { openDegraded: true },
  rpo: { budgetMs: 5_000, gateMs: 3_000, releaseMs: 1_000, action: 'degrade' },
  rto: { maxMs: 600_000 },
  movePause: { maxMs: 1_000 },
  deadlines: {
    decisionMs: 2_500,
    readMs: 2_000,
    lockWaitMs: 1_000,
    etcdMs: 2_000,
    freezeMs: 15_000,
    promoteMs: 60_000,
    openMs: 30_000,
  },
  admission: { queuePerShardMax: 2_000, batchCommandsMax: 128 },
  liveness: { heartbeatEveryMs: 1_000, heartbeatTtlMs: 5_000, clockSkewMaxMs: 500 },
};

const authority: AuthorityRecord = {
  term: 3,
  leader: 'a',
  phase: 'open',
  operation: null,
  prefix: null,
  since: ago(9_000),
};
const membership: MembershipRecord = {
  epoch: 2,
  members: {
    a: { region: 'new-york', role: 'voter' },
    b: { region: 'new-york', role: 'voter' },
    c: { region: 'madrid', role: 'observer' },
    d: { region: 'new-york', role: 'voter' },
  },
};
const inSync: InSyncRecord = {
  term: 3,
  epoch: 2,
  voters: [
    { member: 'b', incarnation: 'b-1' },
    { member: 'd', incarnation: 'd-1' },
  ],
  required: 2,
  degraded: false,
  since: ago(9_000),
};
const lease: LeaseRecord = {
  term: 3,
  leader: 'a',
  grantId: 'g',
  sequence: 9,
  ttlMs: 3_000,
  renewedAt: ago(500),
};

const beat = (member: string, over: Partial<HeartbeatRecord> = {}): HeartbeatRecord => ({
  member,
  cluster: 'c1',
  region: 'new-york',
  incarnation: `${member}-1`,
  state: member === 'a' ? 'leading' : 'following',
  reason: null,
  term: 3,
  epoch: 2,
  timeline: 1,
  postgresUp: true,
  writable: member === 'a',
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

interface Changes {
  readonly authority?: Partial<AuthorityRecord>;
  readonly inSync?: Partial<InSyncRecord> | null;
  readonly lease?: Partial<LeaseRecord>;
  readonly beats?: Readonly<Record<string, Partial<HeartbeatRecord> | null>>;
  readonly active?: string;
}

/** The leader's agent is up, but its Postgres has died; `b` and `d` are fine. */
function viewOf(changes: Changes = {}): ClusterView {
  const beats: Readonly<Record<string, Partial<HeartbeatRecord> | null>> = {
    a: { postgresUp: false, state: 'fenced' },
    ...changes.beats,
  };
  const heartbeats = ['a', 'b', 'c', 'd'].flatMap((member): [string, Versioned<HeartbeatRecord>][] => {
    const over = beats[member];
    return over === null ? [] : [[member, versioned(beat(member, over))]];
  });
  return {
    ...emptyClusterView('c1'),
    authority: versioned({ ...authority, ...changes.authority }),
    membership: versioned(membership),
    inSync: changes.inSync === null ? undefined : versioned({ ...inSync, ...changes.inSync }),
    lease: versioned({ ...lease, ...changes.lease }),
    activeOperation: changes.active === undefined ? undefined : versioned(changes.active),
    heartbeats: new Map(heartbeats),
  };
}

const plan = (changes: Changes = {}, over: Partial<FailoverPlanInputs> = {}) =>
  planFailover({ view: viewOf(changes), mapVersion: 5, contract, nowMs: NOW, ...over });
const codes = (changes: Changes = {}, over: Partial<FailoverPlanInputs> = {}) =>
  plan(changes, over).refusals.map(({ code }) => code);
const healthy: Changes = { beats: { a: {} } };

describe('the candidates of a failover', () => {
  it('are the recorded voters that answer, the one that replayed most first, each with reasons', () => {
    const { candidates, excluded, refusals } = plan({ beats: { a: null, d: { replayedLsn: '0/10000000' } } });
    expect(refusals).toEqual([]);
    expect(candidates.map(({ member }) => member)).toEqual(['d', 'b']);
    expect(candidates[0]?.reasons).toEqual([
      'recorded in sync with this incarnation',
      'following, heartbeat 0.4 s old',
    ]);
    expect(excluded).toMatchObject([
      { member: 'a', reasons: ['it is the leader that is replaced'] },
      { member: 'c', reasons: [expect.stringContaining('observer'), expect.stringContaining('in sync')] },
    ]);
  });

  it.each([
    ['silent', null, /no heartbeat/],
    ['stale', { at: ago(6_000) }, /6\.0 s old/],
    ['cloned anew', { incarnation: 'b-2' }, /incarnation b-2.*b-1/],
    ['quarantined', { state: 'quarantined', reason: 'older term' }, /quarantined: older term/],
    ['down', { postgresUp: false }, /Postgres is down/],
  ] as const)('exclude a voter that is %s', (_, over, why) => {
    const { candidates, excluded } = plan({ beats: { b: over } });
    expect(candidates.map(({ member }) => member)).toEqual(['d']);
    expect(excluded.find(({ member }) => member === 'b')?.reasons.join('; ')).toMatch(why);
  });
});

describe('a failover is refused', () => {
  it('while the leader is healthy, unless forced', () => {
    expect(codes(healthy)).toEqual(['leader_healthy']);
    expect(plan(healthy).refusals[0]).toMatchObject({
      override: '--force',
      next: 'run it again in a few seconds, or capstan failover run c1 --force',
      message: expect.stringMatching(/just died counts as healthy until .* about \d+/) as string,
    });
    expect(codes(healthy, { force: true })).toEqual([]);
  });

  it.each([
    ['its lease has run out', { ...healthy, lease: { renewedAt: ago(3_001) } }],
    ['its lease is of an older term', { ...healthy, lease: { term: 2 } }],
    ['its agent is silent', { beats: { a: null } }],
    ['its Postgres is down', {}],
  ] as const)('but not because of a leader of which %s', (_, changes) => {
    expect(codes(changes)).toEqual([]);
  });

  it('without enough recorded voters to prove the fence', () => {
    expect(codes({ beats: { b: null, d: null } })).toEqual(['no_candidate']);
    expect(codes({ inSync: { required: 1 }, beats: { b: null } })).toEqual(['too_few_voters']);
  });

  it('of a degraded cluster, or one without a record, and no flag overrides it', () => {
    expect(plan({ inSync: { voters: [], required: 0, degraded: true } }).refusals).toMatchObject([
      { code: 'cluster_degraded', override: null },
    ]);
    expect(codes({ inSync: null }, { force: true, acceptDegraded: true })).toEqual(['cluster_degraded']);
  });

  it('while another operation holds the cluster, naming how to resume it', () => {
    expect(plan({ active: 'failover-1', authority: { phase: 'fenced', leader: null } }).refusals).toEqual([
      expect.objectContaining({ code: 'operation_active', next: 'capstan operation resume failover-1' }),
    ]);
  });

  it('of a cluster that is not open yet', () => {
    expect(codes({ authority: { phase: 'bootstrap', leader: null } })).toEqual(['cluster_not_open']);
  });

  it('when opening degraded is forbidden, unless accepted', () => {
    const strict = { contract: { ...contract, durability: { openDegraded: false } } };
    expect(codes({}, strict)).toEqual(['degraded_not_allowed']);
    expect(codes({}, { ...strict, acceptDegraded: true })).toEqual([]);
  });

  it('for every reason at once, not only for the first', () => {
    const strict = { contract: { ...contract, durability: { openDegraded: false } }, target: 'c' };
    expect(codes(healthy, strict)).toEqual([
      'target_not_candidate',
      'leader_healthy',
      'degraded_not_allowed',
    ]);
  });
});

describe('the hash of a plan', () => {
  const { hash } = plan();

  it('stays while only LSNs, heartbeat ages and flags move', () => {
    expect(plan({ beats: { a: null, d: { replayedLsn: '7/0', at: ago(900) } } }).hash).toBe(hash);
    expect(plan({}, { force: true }).hash).toBe(hash);
    expect(plan({ inSync: { since: ago(1), voters: inSync.voters.toReversed() } }).hash).toBe(hash);
  });

  it.each([
    ['the term', plan({ authority: { term: 4 } })],
    ['the map', plan({}, { mapVersion: 6 })],
    ['the in-sync record', plan({ inSync: { voters: inSync.voters.slice(1), required: 1 } })],
    ['the candidates', plan({ beats: { b: null } })],
    ['the target', plan({}, { target: 'd' })],
  ])('changes with %s', (_, changed) => {
    expect(changed.hash).not.toBe(hash);
  });
});

describe('what a plan says beforehand', () => {
  it('no decision is lost, the pause is known only when measured, and it opens degraded', () => {
    expect(plan()).toMatchObject({
      loss: { decisions: '0', statement: expect.stringMatching(/^none/) },
      pause: { expectedMs: null, atMostMs: 105_000 },
      fence: { needed: 1, voters: ['b', 'd'] },
      opensDegraded: true,
      nextTerm: 4,
    });
    expect(
      plan({}, { measured: [{ operation: 'failover-0', path: 'in-region', ms: 420, proofMs: 0 }] }).pause,
    ).toMatchObject({
      expectedMs: 420,
      basis: 'measured by failover-0',
    });
  });
});
