import { describe, expect, it, test } from 'vitest';
import { MEMBERSHIP_SCHEMAS } from '../../../src/cli/schemas/membership.ts';
import { type ClusterView, emptyClusterView } from '../../../src/controlplane/cluster-view.ts';
import { machineFor } from '../../../src/controlplane/membership/phases.ts';
import type { MembershipAction } from '../../../src/controlplane/membership/plan-types.ts';
import { type MembershipPlanInputs, planMembership } from '../../../src/controlplane/membership/plan.ts';
import { notSettled, stillCounted } from '../../../src/controlplane/membership/standing.ts';
import type { Versioned } from '../../../src/controlplane/store.ts';
import type { FollowerFacts, HeartbeatRecord } from '../../../src/domain/agent-reports.ts';
import type { LossRecord } from '../../../src/domain/loss-records.ts';
import type { InSyncRecord, MemberRecord, MemberRole } from '../../../src/domain/records.ts';

const HOME = 'new-york';
const versioned = <T>(value: T): Versioned<T> => ({ value, revision: '7' });

const record = (voters: readonly string[], change: Partial<InSyncRecord> = {}): InSyncRecord => ({
  term: 3,
  epoch: 4,
  voters: voters.map((member) => ({ member, incarnation: `${member}-1` })),
  required: voters.length,
  degraded: voters.length === 0,
  since: '2026-01-01T12:00:00.000Z',
  ...change,
});

const registered = (name: string): MemberRecord => ({
  name,
  cluster: 'c1',
  region: HOME,
  incarnation: `${name}-1`,
  systemIdentifier: '1',
  registeredAt: '',
});

const beat = (member: string, change: Partial<HeartbeatRecord> = {}): HeartbeatRecord => ({
  member,
  cluster: 'c1',
  region: HOME,
  incarnation: `${member}-1`,
  state: member === 'a' ? 'leading' : 'following',
  reason: null,
  term: 3,
  epoch: 4,
  timeline: 2,
  postgresUp: true,
  writable: member === 'a',
  receivedLsn: null,
  replayedLsn: null,
  flushedLsn: null,
  leaseLeftMs: member === 'a' ? 2_000 : null,
  synchronousStandbyNames: null,
  followers: [],
  version: '15',
  at: '',
  ...change,
});

const streams = (member: string, lagBytes: string | null = '0'): FollowerFacts => ({
  member,
  incarnation: `${member}-1`,
  syncState: 'async',
  flushedLsn: null,
  replayedLsn: null,
  lagBytes,
});

interface Given {
  readonly roles?: Readonly<Record<string, MemberRole>>;
  readonly inSync?: InSyncRecord;
  readonly beats?: readonly HeartbeatRecord[];
  readonly over?: Partial<ClusterView>;
}

const view = ({ roles = { a: 'voter', b: 'voter', d: 'voter' }, ...given }: Given = {}): ClusterView => ({
  ...emptyClusterView('c1'),
  authority: versioned({ term: 3, leader: 'a', phase: 'open', operation: null, prefix: null, since: '' }),
  membership: versioned({
    epoch: 4,
    members: Object.fromEntries(
      Object.entries(roles).map(([name, role]) => [
        name,
        { region: role === 'observer' ? 'madrid' : HOME, role },
      ]),
    ),
  }),
  inSync: versioned(given.inSync ?? record(['b', 'd'])),
  members: new Map(Object.keys(roles).map((name) => [name, versioned(registered(name))])),
  heartbeats: new Map((given.beats ?? []).map((one) => [one.member, versioned(one)])),
  ...given.over,
});

const plan = (
  action: MembershipAction,
  member: string,
  given: Given = {},
  options: Partial<MembershipPlanInputs> = {},
) => planMembership({ view: view(given), action, member, region: HOME, ...options });
const codes = (...args: Parameters<typeof plan>) => plan(...args).refusals.map(({ code }) => code);

const PAIR: Given = { roles: { a: 'voter', b: 'voter' }, inSync: record(['b']) };

describe('a plan', () => {
  it('ends where the region of the member and of the leader say', () => {
    expect(plan('add', 'e')).toMatchObject({ role: null, goal: 'voter', done: false });
    expect(plan('add', 'e', {}, { region: 'madrid' })).toMatchObject({ goal: 'observer' });
    expect(plan('add', 'e', {}, { asLearner: true })).toMatchObject({ goal: 'learner' });
    expect(plan('remove', 'b')).toMatchObject({ role: 'voter', goal: null, leavesDegraded: false });
  });

  it('is done when it is so already, but not while an operation of this member is under way', () => {
    expect(plan('add', 'b')).toMatchObject({ done: true, refusals: [] });
    expect(plan('remove', 'e')).toMatchObject({ done: true, refusals: [] });
    expect(plan('add', 'b', {}, { asLearner: true })).toMatchObject({ done: true });
    const over = { memberOperations: new Map([['b', versioned('membership-1')]]) };
    expect(plan('add', 'b', { over })).toMatchObject({ done: false });
    expect(codes('add', 'b', { over })).toEqual(['operation_active']);
  });

  it('is refused with a reason and an override where there is one', () => {
    expect(codes('remove', 'a')).toEqual(['member_leads']);
    expect(codes('promote', 'e')).toEqual(['member_not_found']);
    expect(plan('remove', 'b', PAIR).refusals).toMatchObject([
      { code: 'last_voter', override: '--accept-degraded' },
    ]);
    expect(plan('remove', 'b', PAIR, { acceptDegraded: true })).toMatchObject({
      refusals: [],
      leavesDegraded: true,
      approvals: ['accept-degraded'],
    });
    expect(codes('remove', 'b', { inSync: record(['b']) })).toEqual(['last_voter_in_sync']);
    expect(codes('remove', 'd', { inSync: record(['b']) })).toEqual([]);
    const lost = { state: 'pending', incarnation: null, found: null, waived: null };
    const loss = { status: 'open', operation: 'failover-1', members: { b: lost } };
    const losses = new Map([['failover-1', versioned(loss as unknown as LossRecord)]]);
    expect(codes('remove', 'b', { over: { losses } })).toEqual(['loss_unsalvaged']);
    expect(codes('remove', 'd', { over: { losses } })).toEqual([]);
    const held = { over: { activeOperation: versioned('failover-1') } };
    expect(codes('remove', 'b', held)).toEqual(['operation_active']);
    const roles = { a: 'voter', e: 'learner' } as const;
    expect(codes('add', 'e', { roles }, { region: 'madrid' })).toEqual(['member_region_differs']);
  });

  it('has another hash when anything changes that it rests on, and the same one else', () => {
    const { hash } = plan('remove', 'b');
    expect(plan('remove', 'b', { inSync: record(['b', 'd'], { since: 'later' }) }).hash).toBe(hash);
    expect(plan('remove', 'b', { beats: [beat('a')] }).hash).toBe(hash);
    expect(plan('remove', 'b', { inSync: record(['b']) }).hash).not.toBe(hash);
    expect(plan('remove', 'b', { over: { members: new Map() } }).hash).not.toBe(hash);
    expect(plan('remove', 'd').hash).not.toBe(hash);
  });

  it.each([plan('add', 'e'), plan('remove', 'b', PAIR), plan('promote', 'e')])('fits its schema', (one) => {
    const data = { changed: false, dryRun: true, plan: one, operation: null, role: null, epoch: null };
    expect(MEMBERSHIP_SCHEMAS['MemberAdd']?.safeParse(data).error).toBeUndefined();
  });
});

const givenUpIn = (action: MembershipAction): readonly string[] => {
  const machine = machineFor({ action, goal: action === 'remove' ? null : 'voter' });
  return machine.stepsLeft(machine.first).filter((phase) => machine.accepts(phase as never, 'aborted'));
};

test('an operation can be given up until its last epoch is committed', () => {
  expect(givenUpIn('add')).toEqual(['catch-up', 'role']);
  expect(givenUpIn('promote')).toEqual(['catch-up', 'role']);
  expect(givenUpIn('remove')).toEqual(['unsync', 'out']);
});

const leading = (change: Partial<HeartbeatRecord> = {}) =>
  beat('a', { followers: [streams('b')], ...change });

describe('what is waited for', () => {
  it('is a leader that decides under the committed epoch', () => {
    for (const change of [
      { epoch: 3 },
      { leaseLeftMs: null },
      { state: 'opening' },
    ] as const satisfies readonly Partial<HeartbeatRecord>[])
      expect(stillCounted(view({ beats: [leading(change)] }), 'e')).toMatch(/^waiting for a/);
    expect(stillCounted(view(), 'e')).toMatch(/silent/);
    expect(stillCounted(view({ beats: [leading()] }), 'e')).toBeUndefined();
  });

  it('is a record and a setting without the member that leaves', () => {
    expect(stillCounted(view({ beats: [leading()] }), 'b')).toMatch(/in-sync record/);
    const named = leading({ synchronousStandbyNames: 'ANY 2 ("b_b-1", "d_d-1")' });
    expect(stillCounted(view({ inSync: record(['d']), beats: [named] }), 'b')).toMatch(/stop waiting/);
    expect(stillCounted(view({ inSync: record(['d']), beats: [leading()] }), 'b')).toBeUndefined();
  });

  it('is a voter in the record by its incarnation, and an observer that streams', () => {
    const other = { member: 'b', incarnation: 'b-0' };
    expect(notSettled(view({ beats: [leading()] }), 'b')).toBeUndefined();
    // Made the leader by a failover meanwhile.
    expect(notSettled(view({ beats: [leading()] }), 'a')).toBeUndefined();
    expect(notSettled(view({ inSync: record(['b'], { voters: [other] }), beats: [leading()] }), 'b')).toMatch(
      /in-sync set/,
    );
    const roles = { a: 'voter', b: 'observer' } as const;
    const beats = [leading(), beat('b')];
    expect(notSettled(view({ roles, beats }), 'b')).toBeUndefined();
    for (const wrong of [
      [leading()],
      [leading({ followers: [] }), beat('b')],
      [leading({ followers: [streams('b', null)] }), beat('b')],
      [leading({ followers: [streams('b', '9999999')] }), beat('b')],
      [leading(), beat('b', { timeline: 1 })],
      [leading(), beat('b', { incarnation: 'b-0' })],
      [leading(), beat('b', { state: 'cloning' })],
    ])
      expect(notSettled(view({ roles, beats: wrong }), 'b')).toBeDefined();
  });
});
