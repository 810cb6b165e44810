import { describe, expect, test } from 'vitest';
import { emptyClusterView, type ClusterView } from '../../../src/controlplane/cluster-view.ts';
import { whyApart } from '../../../src/controlplane/failover/apart.ts';
import type { LossMember, LossRecord } from '../../../src/domain/loss-records.ts';

const PROMOTED: ClusterView['promotion'] = {
  revision: '9',
  value: {
    term: 2,
    operation: 'failover-1',
    member: 'c',
    timeline: 2,
    switchLsn: '0/5000000',
    positions: {},
    promotedAt: '',
  },
};

const loss = (member: Partial<LossMember>): LossRecord => ({
  operation: 'failover-1',
  cluster: 'c1',
  formerTerm: 1,
  term: 2,
  timeline: 1,
  lsn: '0/5000000',
  positions: {},
  voters: [],
  members: { b: { state: 'pending', incarnation: 'b-1', found: null, waived: null, ...member } },
  status: 'open',
  lost: null,
  signedOff: null,
  since: '',
});

function apart(
  held: { readonly incarnation?: string; readonly timeline: number; readonly lsn: string },
  member?: Partial<LossMember>,
): string | undefined {
  const losses = new Map(
    member === undefined ? [] : [['failover-1', { revision: '8', value: loss(member) }]],
  );
  const view = { ...emptyClusterView('c1'), promotion: PROMOTED, losses };
  return whyApart(view, { member: 'b', incarnation: 'b-1', ...held });
}

describe('a member whose log is apart from the leader’s', () => {
  test('holds an older timeline beyond the point where the leader left it', () => {
    expect(apart({ timeline: 1, lsn: '0/5000060' })).toMatch(/holds timeline 1 up to 0\/5000060/);
  });

  test('is named by a loss record, whatever it says of its position', () => {
    expect(apart({ timeline: 1, lsn: '0/4000000' }, {})).toMatch(/what failover-1 lost/);
    expect(apart({ timeline: 1, lsn: '0/4000000' }, { state: 'salvaged', found: 3 })).toMatch(/failover-1/);
  });
});

describe('a member that is only behind', () => {
  test('stands on the leader’s timeline, or on the former one up to where it was left', () => {
    expect(apart({ timeline: 2, lsn: '0/6000000' })).toBeUndefined();
    expect(apart({ timeline: 1, lsn: '0/5000000' })).toBeUndefined();
  });

  test('was found to hold nothing that was lost, or has been made anew since', () => {
    expect(apart({ timeline: 1, lsn: '0/4000000' }, { state: 'salvaged', found: 0 })).toBeUndefined();
    expect(apart({ incarnation: 'b-2', timeline: 1, lsn: '0/4000000' }, {})).toBeUndefined();
  });
});
