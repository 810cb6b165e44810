import { expect, test } from 'vitest';
import { type ClusterView, emptyClusterView } from '../../../src/controlplane/cluster-view.ts';
import type { AuthorityRecord, MemberRole } from '../../../src/domain/records.ts';
import { sourcesOf } from '../../../src/projections/sources.ts';

const MEMBERS = {
  'ny-1': { region: 'new-york', role: 'voter' },
  'ny-2': { region: 'new-york', role: 'voter' },
  'mad-1': { region: 'madrid', role: 'observer' },
  new: { region: 'madrid', role: 'learner' },
} as const;

function viewOf({
  members = MEMBERS,
  leader = 'ny-1',
  phase = 'open',
  inSync = ['ny-2'],
  inSyncTerm = 3,
}: {
  members?: Record<string, { region: string; role: MemberRole }>;
  leader?: string | null;
  phase?: AuthorityRecord['phase'];
  inSync?: string[];
  inSyncTerm?: number;
} = {}): ClusterView {
  const record = <T>(value: T) => ({ value, revision: '1' });
  return {
    ...emptyClusterView('c1'),
    authority: record({ term: 3, leader, phase, operation: null, prefix: null, since: '' }),
    membership: record({ epoch: 2, members }),
    inSync: record({
      term: inSyncTerm,
      epoch: 2,
      voters: inSync.map((member) => ({ member, incarnation: 'i' })),
      required: 1,
      degraded: inSync.length === 0,
      since: '',
    }),
  };
}

const order = (view: ClusterView, region: string) =>
  sourcesOf(view, region)?.members.map(({ member, kind }) => `${member} ${kind}`);

test('the in-sync follower goes first wherever the projector is, the leader last, a learner never', () => {
  expect(order(viewOf(), 'new-york')).toEqual(['ny-2 in-sync', 'mad-1 follower', 'ny-1 leader']);
  expect(order(viewOf(), 'madrid')).toEqual(['ny-2 in-sync', 'mad-1 follower', 'ny-1 leader']);
});

test('among equals the own region goes first', () => {
  const members = { ...MEMBERS, 'mad-2': { region: 'madrid', role: 'voter' as const } };
  const view = viewOf({ members, inSync: ['ny-2', 'mad-2'] });
  expect(order(view, 'madrid')?.slice(0, 2)).toEqual(['mad-2 in-sync', 'ny-2 in-sync']);
  expect(order(view, 'new-york')?.slice(0, 2)).toEqual(['ny-2 in-sync', 'mad-2 in-sync']);
});

test('only the one voter beside the leader, and only while it is in sync, may be quoted up to its head', () => {
  const soleVoters = (view: ClusterView) =>
    sourcesOf(view, 'new-york')?.members.flatMap(({ member, soleVoter }) => (soleVoter ? [member] : []));
  expect(soleVoters(viewOf())).toEqual(['ny-2']);
  expect(soleVoters(viewOf({ inSync: [] }))).toEqual([]);
  expect(soleVoters(viewOf({ inSyncTerm: 2 }))).toEqual([]);
  const members = { ...MEMBERS, 'ny-3': { region: 'new-york', role: 'voter' as const } };
  expect(soleVoters(viewOf({ members, inSync: ['ny-2', 'ny-3'] }))).toEqual([]);
});

test('a cluster that is fenced has followers to ask and no leader', () => {
  expect(order(viewOf({ leader: null, phase: 'fenced', inSync: [] }), 'madrid')).toEqual([
    'mad-1 follower',
    'ny-1 follower',
    'ny-2 follower',
  ]);
});

test('what is asked names the present epoch and term', () => {
  expect(sourcesOf(viewOf(), 'madrid')?.scope).toEqual({ cluster: 'c1', epoch: 2, term: 3 });
  expect(sourcesOf(emptyClusterView('c1'), 'madrid')).toBeUndefined();
});
