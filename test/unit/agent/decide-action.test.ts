import { describe, expect, test } from 'vitest';
import type { Action, EstateFacts, LocalFacts } from '../../../src/agent/action.ts';
import { decideAction, UNREAD } from '../../../src/agent/decide-action.ts';
import { type AgentMemory, blankMemory } from '../../../src/agent/memory.ts';
import type { AuthorityPhase, AuthorityRecord, MemberRecord } from '../../../src/domain/records.ts';

const ME = 'm1';
const OTHER = 'm2';
const INCARNATION = 'aaaa11112222';

const registered = (name: string, incarnation: string): MemberRecord => ({
  name,
  cluster: 'c1',
  region: 'new-york',
  incarnation,
  systemIdentifier: '1',
  registeredAt: '',
});

interface Given {
  readonly phase?: AuthorityPhase;
  readonly leader?: string | null;
  readonly term?: number;
  readonly authority?: Partial<AuthorityRecord>;
  readonly estate?: Partial<EstateFacts>;
  readonly local?: Partial<LocalFacts>;
  readonly memory?: Partial<AgentMemory>;
}

function decide({ phase = 'open', leader = ME, term = 2, authority, estate, local, memory }: Given): Action {
  const data = local?.data ?? 'primary';
  return decideAction({
    member: ME,
    estate: {
      incarnation: 'e1',
      mapVersion: 1,
      record: { name: 'c1', homeRegion: 'new-york', bootstrapMember: ME, createdAt: '' },
      authority: { term, leader, phase, operation: 'op', prefix: null, since: '', ...authority },
      membership: {
        epoch: 1,
        members: {
          [ME]: { region: 'new-york', role: 'voter' },
          [OTHER]: { region: 'new-york', role: 'voter' },
        },
      },
      members: { [ME]: registered(ME, INCARNATION), [OTHER]: registered(OTHER, 'bbbb11112222') },
      frozen: undefined,
      stopped: undefined,
      promotion: undefined,
      leaseTerm: null,
      handover: undefined,
      handedOver: undefined,
      rejoin: undefined,
      salvaged: undefined,
      openLosses: [],
      ...estate,
    },
    local: {
      data,
      process: data === 'absent' ? 'stopped' : 'running',
      recovering: data === 'standby',
      upstream: null,
      storedTerm: term,
      storedEpoch: 1,
      reconciledMapVersion: 1,
      ...local,
    },
    memory: { ...blankMemory(ME), estate: 'e1', incarnation: INCARNATION, highestTerm: term, ...memory },
  });
}

const STOPPED = { process: 'stopped', recovering: null, storedTerm: null, storedEpoch: null } as const;
const PREFIX = { member: ME, incarnation: INCARNATION, timeline: 1, lsn: '0/5000000', positions: {} };

describe('what the authority says × what is here', () => {
  const rows: readonly (readonly [string, Given, Partial<Action>])[] = [
    // bootstrap
    [
      'the first member makes the cluster',
      { phase: 'bootstrap', leader: null, local: { data: 'absent' } },
      { kind: 'bootstrap' },
    ],
    [
      'a bootstrap that was killed goes on',
      { phase: 'bootstrap', leader: null, local: { data: 'primary' } },
      { kind: 'bootstrap' },
    ],
    [
      'half an initdb is thrown away',
      { phase: 'bootstrap', leader: null, local: { data: 'incomplete', ...STOPPED } },
      { kind: 'discard-incomplete' },
    ],
    [
      'a standby is no first member',
      { phase: 'bootstrap', leader: null, local: { data: 'standby' } },
      { kind: 'stop' },
    ],
    [
      'others wait for the first member',
      {
        phase: 'bootstrap',
        leader: null,
        local: { data: 'absent' },
        estate: { record: { name: 'c1', homeRegion: 'x', bootstrapMember: OTHER, createdAt: '' } },
      },
      { kind: 'hold', state: 'starting' },
    ],
    // open, this member leads
    ['the leader leads', {}, { kind: 'lead' }],
    ['a stopped leader starts as a primary', { local: STOPPED }, { kind: 'start', as: 'primary' }],
    [
      'a leader that does not answer is waited for',
      { local: { process: 'starting', recovering: null } },
      { kind: 'hold', state: 'opening' },
    ],
    [
      'a leader whose data is gone makes no new cluster',
      { local: { data: 'absent' } },
      { kind: 'hold', state: 'quarantined' },
    ],
    [
      'a leader whose data is a standby is shut',
      { local: { data: 'standby' } },
      { kind: 'stop', state: 'quarantined' },
    ],
    [
      'unless its promotion was entered again',
      { local: { data: 'standby' }, memory: { promotingTerm: 2 }, authority: { prefix: PREFIX } },
      { kind: 'promote' },
    ],
    ['an older term in Postgres is adopted up', { local: { storedTerm: 1 } }, { kind: 'adopt' }],
    ['an older epoch in Postgres is adopted up', { local: { storedEpoch: null } }, { kind: 'adopt' }],
    ['a changed map is adopted', { estate: { mapVersion: 2 } }, { kind: 'adopt' }],
    ['an unregistered leader registers', { estate: { members: {} } }, { kind: 'register' }],
    [
      'a leader with other data than registered is shut',
      { memory: { incarnation: 'cccc' } },
      { kind: 'stop', state: 'quarantined' },
    ],
    // open, another leads
    [
      'an empty member clones',
      { leader: OTHER, local: { data: 'absent' } },
      { kind: 'clone', leader: OTHER },
    ],
    [
      'an empty member waits for a leader',
      { leader: OTHER, local: { data: 'absent' }, estate: { members: {} } },
      { kind: 'hold', state: 'starting' },
    ],
    [
      'half a clone is thrown away',
      { leader: OTHER, local: { data: 'incomplete', ...STOPPED } },
      { kind: 'discard-incomplete' },
    ],
    [
      'a stopped standby starts',
      { leader: OTHER, local: { data: 'standby', ...STOPPED } },
      { kind: 'start', as: 'standby' },
    ],
    [
      'a standby that follows nobody is pointed at the leader',
      { leader: OTHER, local: { data: 'standby' } },
      { kind: 'follow' },
    ],
    [
      'a standby whose settings are unread is pointed again',
      { leader: OTHER, local: { data: 'standby', upstream: UNREAD } },
      { kind: 'follow' },
    ],
    [
      'a standby that follows, follows',
      { leader: OTHER, local: { data: 'standby', upstream: `${OTHER}_bbbb11112222` } },
      { kind: 'hold', state: 'following' },
    ],
    [
      'a new clone registers once it follows',
      {
        leader: OTHER,
        local: { data: 'standby', upstream: `${OTHER}_bbbb11112222` },
        memory: { incarnation: 'dddd' },
      },
      { kind: 'register' },
    ],
    ['a former primary is quarantined', { leader: OTHER }, { kind: 'quarantine' }],
    ['also when it is stopped', { leader: OTHER, local: STOPPED }, { kind: 'quarantine' }],
    [
      'a standby that writes is quarantined',
      { leader: OTHER, local: { data: 'standby', recovering: false } },
      { kind: 'quarantine' },
    ],
    // fenced
    ['a fenced leader is stopped', { phase: 'fenced', leader: null }, { kind: 'stop', state: 'fenced' }],
    [
      'and, once it has ended, says so',
      { phase: 'fenced', leader: null, local: STOPPED },
      { kind: 'report-stopped', term: 2, operation: 'op' },
    ],
    [
      'fenced by no operation it reports to nobody',
      { phase: 'fenced', leader: null, local: STOPPED, authority: { operation: null } },
      { kind: 'hold', state: 'fenced' },
    ],
    [
      'a follower freezes',
      { phase: 'fenced', leader: null, local: { data: 'standby', upstream: `${OTHER}_x` } },
      { kind: 'freeze', term: 2, operation: 'op' },
    ],
    [
      'a follower that has not reported freezes',
      { phase: 'fenced', leader: null, local: { data: 'standby' } },
      { kind: 'freeze' },
    ],
    [
      'a stopped follower starts to freeze',
      { phase: 'fenced', leader: null, local: { data: 'standby', ...STOPPED } },
      { kind: 'start', as: 'standby' },
    ],
    [
      'nothing is cloned while nobody leads',
      { phase: 'fenced', leader: null, local: { data: 'absent' } },
      { kind: 'hold', state: 'starting' },
    ],
    // promoting
    [
      'the chosen one promotes',
      { phase: 'promoting', local: { data: 'standby' }, authority: { prefix: PREFIX } },
      { kind: 'promote' },
    ],
    [
      'with other data than was chosen it does not',
      {
        phase: 'promoting',
        local: { data: 'standby' },
        authority: { prefix: { ...PREFIX, incarnation: 'eeee' } },
      },
      { kind: 'hold', state: 'quarantined' },
    ],
    [
      'a former primary is not promoted',
      { phase: 'promoting', local: STOPPED, authority: { prefix: PREFIX } },
      { kind: 'hold', state: 'quarantined' },
    ],
    [
      'a promotion that was killed is entered again',
      { phase: 'promoting', local: STOPPED, authority: { prefix: PREFIX }, memory: { promotingTerm: 2 } },
      { kind: 'promote' },
    ],
    [
      'once reported it waits to be opened',
      {
        phase: 'promoting',
        authority: { prefix: PREFIX },
        memory: { promotingTerm: 2 },
        estate: {
          promotion: {
            term: 2,
            operation: 'op',
            member: ME,
            timeline: 2,
            switchLsn: '0/5000000',
            positions: {},
            promotedAt: '',
          },
        },
      },
      { kind: 'hold', state: 'promoting' },
    ],
    [
      'others stay frozen',
      { phase: 'promoting', leader: OTHER, local: { data: 'standby', upstream: `${OTHER}_bbbb11112222` } },
      { kind: 'freeze' },
    ],
    [
      'a former primary is quarantined once another is chosen',
      { phase: 'promoting', leader: OTHER, local: STOPPED },
      { kind: 'quarantine' },
    ],
    // whatever the phase
    [
      'a term below the highest seen is refused',
      { memory: { highestTerm: 3 } },
      { kind: 'stop', state: 'fenced' },
    ],
    [
      'a term below the one in Postgres is refused',
      { local: { storedTerm: 3 } },
      { kind: 'stop', state: 'fenced' },
    ],
    [
      'an epoch below the highest seen is refused',
      { memory: { highestEpoch: 2 } },
      { kind: 'stop', state: 'fenced' },
    ],
    [
      'a map version below the highest seen is refused',
      { memory: { highestMapVersion: 2 } },
      { kind: 'stop', state: 'fenced' },
    ],
    ['another etcd is refused', { memory: { estate: 'e2' } }, { kind: 'stop', state: 'fenced' }],
    [
      'a quarantined member stays shut',
      { memory: { quarantine: { reason: 'r', since: '' } }, local: STOPPED },
      { kind: 'hold', state: 'quarantined' },
    ],
    [
      'data without memory is not opened',
      { memory: { incarnation: null }, local: STOPPED },
      { kind: 'hold', state: 'quarantined' },
    ],
    [
      'a member out of the membership is stopped',
      { estate: { membership: { epoch: 2, members: {} } } },
      { kind: 'stop', state: 'stopped' },
    ],
    [
      'without a cluster there is nothing to do',
      { estate: { authority: undefined }, local: { data: 'absent' } },
      { kind: 'hold', state: 'starting' },
    ],
  ];
  test.each(rows)('%s', (_claim, given, expected) => {
    expect(decide(given)).toMatchObject(expected);
  });
});

test('a report of this term, operation and incarnation holds the freeze; any other freezes again', () => {
  const report = {
    term: 2,
    operation: 'op',
    member: ME,
    incarnation: INCARNATION,
    timeline: 1,
    receivedLsn: '0/1',
    replayedLsn: '0/1',
    positions: {},
    frozenAt: '',
  };
  const fenced = { phase: 'fenced', leader: null, local: { data: 'standby' } } as const;
  expect(decide({ ...fenced, estate: { frozen: report } })).toMatchObject({ kind: 'hold', state: 'frozen' });
  for (const other of [{ term: 1 }, { operation: 'other' }, { incarnation: 'other' }])
    expect(decide({ ...fenced, estate: { frozen: { ...report, ...other } } })).toMatchObject({
      kind: 'freeze',
    });
});

test('a stop report of this term, operation and incarnation is made once; any other is made anew', () => {
  const report = { term: 2, operation: 'op', member: ME, incarnation: INCARNATION, stoppedAt: '' };
  const fenced = { phase: 'fenced', leader: null, local: STOPPED } as const;
  expect(decide({ ...fenced, estate: { stopped: report } })).toMatchObject({ kind: 'hold', state: 'fenced' });
  for (const other of [{ term: 1 }, { operation: 'other' }, { incarnation: 'other' }])
    expect(decide({ ...fenced, estate: { stopped: { ...report, ...other } } })).toMatchObject({
      kind: 'report-stopped',
    });
  expect(decide({ phase: 'fenced', leader: null })).toMatchObject({ kind: 'stop' });
});

describe('while only voters freeze', () => {
  const standby = { data: 'standby', upstream: `${OTHER}_x` } as const;
  const at = (role: 'voter' | 'observer' | 'learner', given: Given = {}): Action =>
    decide({
      phase: 'fenced',
      leader: null,
      authority: { freeze: 'voters' },
      ...given,
      local: { ...standby, ...given.local },
      estate: {
        membership: { epoch: 1, members: { [ME]: { region: 'madrid', role } } },
        ...given.estate,
      },
    });

  test('a voter freezes, and the others go on receiving', () => {
    expect(at('voter')).toMatchObject({ kind: 'freeze' });
    for (const role of ['observer', 'learner'] as const)
      expect(at(role)).toMatchObject({ kind: 'hold', state: 'following' });
  });

  test('an observer that was stopped starts again, and one without a source stays where it is', () => {
    expect(at('observer', { local: STOPPED })).toMatchObject({ kind: 'start', as: 'standby' });
    expect(at('observer', { local: { upstream: null } })).toMatchObject({ kind: 'hold', state: 'frozen' });
  });

  test('once the proof stands all freeze', () => {
    for (const freeze of ['all', undefined] as const) {
      const authority = freeze === undefined ? {} : { freeze };
      const membership = { epoch: 1, members: { [ME]: { region: 'madrid', role: 'observer' } } } as const;
      expect(
        decide({ phase: 'fenced', leader: null, authority, local: standby, estate: { membership } }),
      ).toMatchObject({ kind: 'freeze' });
    }
  });

  test('a former primary stays shut whatever its role', () => {
    expect(at('observer', { local: { data: 'primary', recovering: false } })).toMatchObject({ kind: 'stop' });
  });
});

test('no state of affairs opens a primary that the authority does not name', () => {
  const opened: string[] = [];
  for (const phase of ['bootstrap', 'fenced', 'promoting', 'open'] as const)
    for (const leader of [null, OTHER])
      for (const data of ['absent', 'incomplete', 'primary', 'standby'] as const)
        for (const process of ['stopped', 'starting', 'running'] as const)
          for (const recovering of [true, false, null]) {
            const action = decide({
              phase,
              leader,
              local: { data, process, recovering },
              estate: { record: { name: 'c1', homeRegion: 'x', bootstrapMember: OTHER, createdAt: '' } },
            });
            const what = action.kind === 'start' ? `start ${action.as}` : action.kind;
            if (['lead', 'promote', 'adopt', 'bootstrap', 'start primary'].includes(what))
              opened.push(`${phase} ${leader} ${data} ${process}: ${what}`);
          }
  expect(opened).toEqual([]);
});
