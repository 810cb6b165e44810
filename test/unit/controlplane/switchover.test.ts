import { describe, expect, it } from 'vitest';
import { type ClusterView, emptyClusterView } from '../../../src/controlplane/cluster-view.ts';
import type { Versioned } from '../../../src/controlplane/store.ts';
import { judgeHandover, whyKept } from '../../../src/controlplane/switchover/handover.ts';
import { SWITCHOVER } from '../../../src/controlplane/switchover/phases.ts';
import { planSwitchover, type SwitchoverPlanInputs } from '../../../src/controlplane/switchover/plan.ts';
import { parseContract } from '../../../src/config/contract.ts';
import type {
  FollowerFacts,
  FreezeReport,
  HandoverReport,
  HeartbeatRecord,
} from '../../../src/domain/agent-reports.ts';
import type { ClaimRecord } from '../../../src/domain/records.ts';

const NOW = Date.parse('2026-01-01T12:00:00.000Z');
const at = new Date(NOW - 300).toISOString();
const versioned = <T>(value: T): Versioned<T> => ({ value, revision: '7' });
const contract = parseContract(
  `
version: 1
lease: {ttl: 3s, renewEvery: 700ms, margin: 400ms, drift: 300ms}
durability: {openDegraded: true}
rpo: {budget: 5s, gate: 3s, release: 1s, action: degrade}
rto: {max: 10m}
movePause: {max: 1s}
deadlines: {decision: 2500ms, read: 2s, lockWait: 1s, etcd: 2s, freeze: 3s, promote: 3s, open: 3s}
admission: {queuePerShardMax: 2000, batchCommandsMax: 128}
liveness: {heartbeatEvery: 1s, heartbeatTtl: 5s, clockSkewMax: 500ms}
`,
  'test',
);

const follower = (member: string, over: Partial<FollowerFacts> = {}): FollowerFacts => ({
  member,
  incarnation: `${member}-1`,
  syncState: 'quorum',
  flushedLsn: '0/5000000',
  replayedLsn: '0/5000000',
  lagBytes: '0',
  ...over,
});

const beat = (member: string, over: Partial<HeartbeatRecord> = {}): HeartbeatRecord => ({
  member,
  cluster: 'c1',
  region: member === 'c' ? 'madrid' : 'new-york',
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
  followers: member === 'a' ? ['b', 'c', 'd'].map((name) => follower(name)) : [],
  version: 'test',
  at,
  ...over,
});

const claim: ClaimRecord = {
  term: 3,
  status: 'advertised',
  reason: null,
  budgetMs: 5_000,
  lagMs: 10,
  validUntil: new Date(NOW + 4_000).toISOString(),
  action: 'degrade',
  decisionsPerSecond: null,
  changedAt: at,
  changedBecause: 'near',
  at,
};

const view = (over: Partial<ClusterView> = {}): ClusterView => ({
  ...emptyClusterView('c1'),
  authority: versioned({
    term: 3,
    leader: 'a',
    phase: 'open' as const,
    operation: null,
    prefix: null,
    since: at,
  }),
  membership: versioned({
    epoch: 2,
    members: {
      a: { region: 'new-york', role: 'voter' as const },
      b: { region: 'new-york', role: 'voter' as const },
      c: { region: 'madrid', role: 'observer' as const },
      d: { region: 'new-york', role: 'voter' as const },
    },
  }),
  inSync: versioned({
    term: 3,
    epoch: 2,
    voters: ['b', 'd'].map((member) => ({ member, incarnation: `${member}-1` })),
    required: 2,
    degraded: false,
    since: at,
  }),
  lease: versioned({ term: 3, leader: 'a', grantId: 'g', sequence: 9, ttlMs: 3_000, renewedAt: at }),
  claim: versioned(claim),
  heartbeats: new Map(['a', 'b', 'c', 'd'].map((member) => [member, versioned(beat(member))])),
  ...over,
});

const beats = (...changed: readonly HeartbeatRecord[]) =>
  new Map([...view().heartbeats, ...changed.map((record) => [record.member, versioned(record)] as const)]);

const plan = (over: Partial<SwitchoverPlanInputs> = {}) =>
  planSwitchover({ view: view(), mapVersion: 1, contract, nowMs: NOW, ...over });

const codes = (over: Partial<SwitchoverPlanInputs>) => plan(over).refusals.map(({ code }) => code);

describe('the plan of a switchover', () => {
  it('names the recorded voter that streams near the leader, and nothing stands against it', () => {
    const made = plan();
    expect(made).toMatchObject({ target: 'b', incarnation: 'b-1', nextTerm: 4, refusals: [] });
    expect(made.candidates.map(({ member }) => member)).toEqual(['b', 'd']);
    expect(made.pause).toMatchObject({ expectedMs: null, budgetMs: 1_000 });
  });

  it('takes the target that is asked for, and refuses one that can not lead', () => {
    expect(plan({ target: 'd' })).toMatchObject({ target: 'd', incarnation: 'd-1', refusals: [] });
    expect(codes({ target: 'c' })).toEqual(['target_not_candidate']);
    expect(codes({ target: 'nobody' })).toEqual(['target_not_candidate']);
  });

  it('leaves out who is behind, unseen by the leader, or not following', () => {
    const followers = [follower('b', { lagBytes: '99000000' }), follower('d')];
    expect(plan({ view: view({ heartbeats: beats(beat('a', { followers })) }) }).target).toBe('d');
    const unseen = beats(beat('a', { followers: [follower('d')] }));
    expect(plan({ view: view({ heartbeats: unseen }) }).target).toBe('d');
    const frozen = beats(beat('b', { state: 'frozen' }), beat('d', { state: 'frozen' }));
    expect(codes({ view: view({ heartbeats: frozen }) })).toEqual(['no_candidate']);
  });

  it('is refused where it is a failover’s, a rejoin’s or another operation’s turn', () => {
    const dead = beats(beat('a', { state: 'fenced', postgresUp: false }));
    expect(codes({ view: view({ heartbeats: dead }) })).toContain('leader_unhealthy');
    expect(codes({ view: view({ activeOperation: versioned('failover-1') }) })).toEqual(['operation_active']);
    const degraded = { term: 3, epoch: 2, voters: [], required: 0, degraded: true, since: at };
    expect(codes({ view: view({ inSync: versioned(degraded) }) })).toEqual(['cluster_degraded']);
    const draining = view().authority?.value;
    if (draining === undefined) throw new Error('no authority');
    const other = view({ authority: versioned({ ...draining, phase: 'draining', operation: 'x' }) });
    expect(codes({ view: other })).toEqual(['cluster_not_open']);
  });

  it('is refused while the RPO gate is on, over the pause budget, and where degraded is not allowed', () => {
    const withdrawn = versioned({ ...claim, status: 'withdrawn' as const, validUntil: null });
    expect(codes({ view: view({ claim: withdrawn }) })).toEqual(['rpo_gate_on']);
    const slow = { operation: 'switchover-1', ms: 1_700 };
    expect(codes({ lastPause: slow })).toEqual(['pause_over_budget']);
    expect(codes({ lastPause: slow, pauseBudgetMs: 2_000 })).toEqual([]);
    const strict = { ...contract, durability: { openDegraded: false } };
    expect(codes({ contract: strict })).toEqual(['degraded_not_allowed']);
    expect(codes({ contract: strict, acceptDegraded: true })).toEqual([]);
  });

  it('has a hash that changes with what the decision rests on, and not with LSNs', () => {
    const { hash } = plan();
    expect(plan({ target: 'd' }).hash).not.toBe(hash);
    expect(plan({ mapVersion: 2 }).hash).not.toBe(hash);
    expect(plan({ pauseBudgetMs: 2_000 }).hash).not.toBe(hash);
    const later = beats(beat('b', { replayedLsn: '0/6000000', at: new Date(NOW).toISOString() }));
    expect(plan({ view: view({ heartbeats: later }) }).hash).toBe(hash);
  });
});

const POSITIONS = { '1': '10', '184': '982441' };
const handedOver: HandoverReport = {
  operation: 'op',
  term: 3,
  member: 'a',
  incarnation: 'a-1',
  at,
  outcome: 'handed-over',
  end: { timeline: 1, checkpointLsn: '0/5000000', positions: POSITIONS },
};
const frozen: FreezeReport = {
  term: 4,
  operation: 'op',
  member: 'b',
  incarnation: 'b-1',
  timeline: 1,
  receivedLsn: '0/5000078',
  replayedLsn: '0/5000078',
  positions: POSITIONS,
  frozenAt: at,
};
const judge = (report: HandoverReport | undefined, held: FreezeReport | undefined) =>
  judgeHandover(
    {
      handoverReport: report === undefined ? undefined : versioned(report),
      frozen: new Map(held === undefined ? [] : [['b', versioned(held)]]),
    },
    { operation: 'op', plan: plan() },
  );

describe('what was handed over', () => {
  it('is held once the target has replayed the last record and has the same positions', () => {
    expect(judge(handedOver, frozen)).toMatchObject({
      kind: 'held',
      prefix: { member: 'b', incarnation: 'b-1', timeline: 1, lsn: '0/5000078', positions: POSITIONS },
    });
  });

  it('is waited for until both have reported for this operation', () => {
    expect(judge(undefined, frozen).kind).toBe('waiting');
    expect(judge(handedOver, undefined).kind).toBe('waiting');
    expect(judge({ ...handedOver, operation: 'another' }, frozen).kind).toBe('waiting');
    expect(judge(handedOver, { ...frozen, operation: 'another' }).kind).toBe('waiting');
    expect(judge(handedOver, { ...frozen, term: 3 }).kind).toBe('waiting');
  });

  it.each<[string, Partial<FreezeReport>]>([
    ['it lacks the last record', { replayedLsn: '0/5000000' }],
    ['it is on another timeline', { timeline: 2 }],
    ['a position differs', { positions: { ...POSITIONS, '184': '982440' } }],
    ['it holds a shard that the leader did not', { positions: { ...POSITIONS, '7': '1' } }],
    ['it was cloned anew', { incarnation: 'b-2' }],
    ['its position can not be read', { replayedLsn: 'none' }],
  ])('is not held when %s', (_why, change) => {
    expect(judge(handedOver, { ...frozen, ...change }).kind).toBe('differs');
  });

  it('a head that was never made is one at 0', () => {
    expect(judge(handedOver, { ...frozen, positions: { ...POSITIONS, '9': '0' } }).kind).toBe('held');
  });

  it('was kept only by a report of this operation', () => {
    const { operation, term, member, incarnation } = handedOver;
    const kept = { operation, term, member, incarnation, at, outcome: 'kept', reason: 'slow' } as const;
    expect(whyKept({ handoverReport: versioned(kept) }, 'op', 3)).toBe('slow');
    expect(whyKept({ handoverReport: versioned(kept) }, 'another', 3)).toBeUndefined();
    expect(whyKept({ handoverReport: versioned(handedOver) }, 'op', 3)).toBeUndefined();
  });
});

describe('the phases of a switchover', () => {
  it('go forward only, once it is decided', () => {
    for (const phase of ['promote', 'verify', 'open', 'settle'] as const)
      expect(SWITCHOVER.accepts(phase, 'aborted')).toBe(false);
    for (const phase of ['prepare', 'drain', 'decide', 'back-out'] as const)
      expect(SWITCHOVER.accepts(phase, 'aborted')).toBe(true);
  });

  it('let those end in which callers wait', () => {
    expect(['prepare', 'back-out', 'settle'].some((phase) => SWITCHOVER.isUrgent(phase as 'prepare'))).toBe(
      false,
    );
    expect(
      (['drain', 'decide', 'promote', 'verify', 'open'] as const).every((p) => SWITCHOVER.isUrgent(p)),
    ).toBe(true);
  });

  it('tell what is left', () => {
    expect(SWITCHOVER.stepsLeft('prepare')).toEqual([
      'prepare',
      'drain',
      'decide',
      'promote',
      'verify',
      'open',
      'settle',
    ]);
    expect(SWITCHOVER.stepsLeft('back-out')).toEqual(['back-out']);
  });
});
