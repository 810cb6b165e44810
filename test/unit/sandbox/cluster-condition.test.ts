import { expect, test } from 'vitest';
import { type ClusterView, emptyClusterView } from '../../../src/controlplane/cluster-view.ts';
import type { HeartbeatRecord } from '../../../src/domain/agent-reports.ts';
import type { MemberRole } from '../../../src/domain/records.ts';
import { clusterCondition } from '../../../src/sandbox/cluster-condition.ts';
import { CLUSTERS } from '../../../src/sandbox/topology.ts';

const [plan] = CLUSTERS;
if (plan === undefined) throw new Error('the sandbox has no cluster');
const AT = '2026-01-01T00:00:00.000Z';
const versioned = <T>(value: T) => ({ value, revision: '1' });

const beat = (
  member: string,
  change: Partial<HeartbeatRecord>,
): [string, { value: HeartbeatRecord; revision: string }] => [
  member,
  versioned({
    member,
    cluster: 'c1',
    region: 'new-york',
    incarnation: 'i',
    state: 'following',
    reason: null,
    term: 1,
    epoch: 1,
    timeline: 1,
    postgresUp: true,
    writable: false,
    receivedLsn: null,
    replayedLsn: null,
    flushedLsn: null,
    leaseLeftMs: null,
    synchronousStandbyNames: null,
    followers: [],
    version: '0',
    at: AT,
    ...change,
  }),
];

const follower = (member: string) => ({
  member,
  incarnation: 'i',
  syncState: 'quorum',
  flushedLsn: null,
  replayedLsn: null,
  lagBytes: null,
});

const serving: ClusterView = {
  ...emptyClusterView('c1'),
  authority: versioned({
    term: 1,
    leader: 'c1-new-york-1',
    phase: 'open' as const,
    operation: null,
    prefix: null,
    since: AT,
  }),
  lease: versioned({
    term: 1,
    leader: 'c1-new-york-1',
    grantId: 'g',
    sequence: 1,
    ttlMs: 3_000,
    renewedAt: AT,
  }),
  inSync: versioned({
    term: 1,
    epoch: 1,
    voters: [{ member: 'c1-new-york-2', incarnation: 'i' }],
    required: 1,
    degraded: false,
    since: AT,
  }),
  heartbeats: new Map([
    beat('c1-new-york-1', {
      state: 'leading',
      leaseLeftMs: 2_000,
      followers: [follower('c1-new-york-2'), follower('c1-madrid-1')],
    }),
    beat('c1-new-york-2', {}),
    beat('c1-madrid-1', {}),
  ]),
};
const withBeat = (member: string, change: Partial<HeartbeatRecord>): ClusterView => ({
  ...serving,
  heartbeats: new Map([...serving.heartbeats, beat(member, change)]),
});

test('a cluster serves with a lease, a recorded synchronous follower and a streaming observer', () => {
  expect(clusterCondition(serving, plan)).toEqual({ missing: undefined, warnings: [] });
});

test.each<[string, ClusterView | undefined, string]>([
  ['no record', undefined, 'c1 does not exist yet'],
  ['no lease', { ...serving, lease: undefined }, 'c1-new-york-1 (leading) holds no lease'],
  ['a lapsed lease', withBeat('c1-new-york-1', { leaseLeftMs: 0, state: 'leading' }), 'holds no lease'],
  ['a cloning observer', withBeat('c1-madrid-1', { state: 'cloning' }), 'c1-madrid-1 is cloning'],
  ['a voter that is not recorded', { ...serving, inSync: undefined }, 'c1-new-york-2 is not in the recorded'],
  [
    'no stream to the observer',
    withBeat('c1-new-york-1', { state: 'leading', leaseLeftMs: 1, followers: [follower('c1-new-york-2')] }),
    'c1-new-york-1 sees no stream to c1-madrid-1',
  ],
])('%s is awaited, and named', (_, view, missing) => {
  expect(clusterCondition(view, plan).missing).toContain(missing);
});

const place = (region: string, role: MemberRole) => ({ region, role });

test('who is in no membership any more, or is a learner, is not awaited among the voters', () => {
  const members = { 'c1-new-york-1': place('new-york', 'voter'), 'c1-madrid-1': place('madrid', 'observer') };
  const inSync = versioned({ term: 1, epoch: 2, voters: [], required: 0, degraded: true, since: AT });
  const without = { ...serving, inSync, membership: versioned({ epoch: 2, members }) };
  const warnings = ['c1 is degraded: its leader has no synchronous follower'];
  expect(clusterCondition(without, plan)).toEqual({ missing: undefined, warnings });
  const learning = { ...members, 'c1-new-york-2': place('new-york', 'learner') };
  const withLearner = { ...without, membership: versioned({ epoch: 3, members: learning }) };
  expect(clusterCondition(withLearner, plan)).toEqual({ missing: undefined, warnings });
});

test('a quarantined member and a degraded cluster are for an operator: they are told, not awaited', () => {
  const view = {
    ...withBeat('c1-new-york-2', { state: 'quarantined', reason: 'older term' }),
    inSync: versioned({ term: 2, epoch: 1, voters: [], required: 0, degraded: true, since: AT }),
  };
  expect(clusterCondition(view, plan)).toEqual({
    missing: undefined,
    warnings: [
      'c1-new-york-2 is quarantined: older term',
      'c1 is degraded: its leader has no synchronous follower',
    ],
  });
});
