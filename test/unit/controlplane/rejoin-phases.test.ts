import { describe, expect, test } from 'vitest';
import { emptyClusterView, type ClusterView } from '../../../src/controlplane/cluster-view.ts';
import { REJOIN } from '../../../src/controlplane/rejoin/phases.ts';
import { planRejoin } from '../../../src/controlplane/rejoin/plan.ts';
import type { HeartbeatRecord } from '../../../src/domain/agent-reports.ts';
import type { MemberRecord, MembershipRecord } from '../../../src/domain/records.ts';
import { lossRecord } from '../../support/losses.ts';

describe('the phases of a rejoin', () => {
  test('lead to the end in order', () => {
    expect(REJOIN.stepsLeft('salvage')).toEqual([
      'salvage',
      'sign-off',
      'learner',
      'restore',
      'catch-up',
      'epoch',
      'vote',
    ]);
  });

  test('go forward only once the member is about to count', () => {
    const abortable = (['salvage', 'sign-off', 'learner', 'restore', 'catch-up'] as const).every((phase) =>
      REJOIN.accepts(phase, 'aborted'),
    );
    expect(abortable).toBe(true);
    expect([REJOIN.isDecided('epoch'), REJOIN.isDecided('vote'), REJOIN.isDecided('restore')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test('no restore is reached but through the sign-off and the learner', () => {
    const before = (['begin', 'salvage', 'sign-off', 'catch-up', 'epoch', 'vote'] as const).flatMap((phase) =>
      Object.values(REJOIN.transitions[phase]).filter((next) => next === 'restore'),
    );
    expect(before).toEqual([]);
  });
});

const at = <T>(value: T) => ({ value, revision: '1' });
const members: MembershipRecord['members'] = {
  m1: { region: 'new-york', role: 'voter' },
  m2: { region: 'new-york', role: 'voter' },
  m3: { region: 'madrid', role: 'observer' },
};

function viewOf(state: HeartbeatRecord['state'], change: Partial<ClusterView> = {}): ClusterView {
  const heartbeat = { member: 'm1', state, incarnation: 'i1' } as HeartbeatRecord;
  return {
    ...emptyClusterView('c1'),
    authority: at({ term: 2, leader: 'm2', phase: 'open', operation: null, prefix: null, since: '' }),
    membership: at({ epoch: 1, members }),
    members: new Map([['m1', at({ name: 'm1', incarnation: 'i1' } as MemberRecord)]]),
    heartbeats: new Map([['m1', at(heartbeat)]]),
    ...change,
  };
}

describe('the plan of a rejoin', () => {
  test('is for a quarantined member, which becomes what its region makes it', () => {
    const plan = planRejoin(viewOf('quarantined'), 'm1', 'rewind');
    expect(plan).toMatchObject({
      refusals: [],
      done: false,
      becomes: 'voter',
      incarnation: 'i1',
      losses: [],
    });
  });

  test('names the losses that have to be signed off first', () => {
    const loss = lossRecord({
      members: { m1: { state: 'pending', incarnation: 'i1', found: null, waived: null } },
    });
    const view = viewOf('quarantined', { losses: new Map([[loss.operation, at(loss)]]) });
    expect(planRejoin(view, 'm1', 'rewind').losses).toEqual(['failover-1']);
  });

  test('has nothing to do for a voter that is recorded in sync', () => {
    const inSync = at({
      term: 2,
      epoch: 1,
      voters: [{ member: 'm1', incarnation: 'i1' }],
      required: 1,
      degraded: false,
      since: '',
    });
    expect(planRejoin(viewOf('following', { inSync }), 'm1', 'rewind').done).toBe(true);
    expect(planRejoin(viewOf('following'), 'm1', 'rewind').done).toBe(false);
  });

  test.each([
    ['a stranger', 'm9', viewOf('quarantined'), 'member_not_found'],
    ['the leader', 'm2', viewOf('quarantined'), 'member_leads'],
    ['a member whose agent is silent', 'm3', viewOf('quarantined'), 'member_not_heard'],
    ['a member that follows', 'm1', viewOf('following'), 'member_not_quarantined'],
    [
      'a cluster without a leader',
      'm1',
      viewOf('quarantined', {
        authority: at({ term: 3, leader: null, phase: 'fenced', operation: 'op', prefix: null, since: '' }),
      }),
      'cluster_not_open',
    ],
  ] as const)('is refused for %s', (_, member, view, code) => {
    expect(planRejoin(view, member, 'rewind').refusals.map((refusal) => refusal.code)).toEqual([code]);
  });

  test('changes its hash with the term and with the data', () => {
    const { hash } = planRejoin(viewOf('quarantined'), 'm1', 'rewind');
    expect(planRejoin(viewOf('quarantined'), 'm1', 'rewind').hash).toBe(hash);
    expect(planRejoin(viewOf('quarantined'), 'm1', 'reclone').hash).not.toBe(hash);
  });
});
