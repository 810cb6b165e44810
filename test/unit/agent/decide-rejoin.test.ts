import { describe, expect, test } from 'vitest';
import type { Action, DecideInput, EstateFacts, LocalFacts } from '../../../src/agent/action.ts';
import { decideAction } from '../../../src/agent/decide-action.ts';
import { type AgentMemory, blankMemory } from '../../../src/agent/memory.ts';
import { judgeRewind } from '../../../src/agent/restore/rewind.ts';
import type { MemberRecord } from '../../../src/domain/records.ts';
import type { RejoinRequest, SalvageReport } from '../../../src/domain/rejoin-records.ts';

const MINE = 'aaaa11112222';
const LEADER: MemberRecord = {
  name: 'm2',
  cluster: 'c1',
  region: 'new-york',
  incarnation: 'bbbb11112222',
  systemIdentifier: '1',
  registeredAt: '',
};
const asked = (change: Partial<RejoinRequest> = {}): RejoinRequest => ({
  operation: 'rejoin-1',
  member: 'm1',
  stage: 'salvage',
  term: 2,
  incarnation: MINE,
  method: 'rewind',
  since: '',
  ...change,
});
const salvaged = (change: Partial<SalvageReport> = {}): SalvageReport => ({
  operation: 'rejoin-1',
  member: 'm1',
  incarnation: MINE,
  term: 2,
  found: 0,
  under: 'rejoin-1',
  timeline: 1,
  lsn: '0/1',
  salvagedAt: '',
  ...change,
});
const QUARANTINE = { reason: 'it was a primary', since: '' };

function decide(given: {
  readonly estate?: Partial<EstateFacts>;
  readonly local?: Partial<LocalFacts>;
  readonly memory?: Partial<AgentMemory>;
  readonly role?: 'voter' | 'learner';
}): Action {
  const { estate, local, memory, role = 'voter' } = given;
  const input: DecideInput = {
    member: 'm1',
    estate: {
      incarnation: 'e1',
      mapVersion: 1,
      record: undefined,
      authority: { term: 2, leader: 'm2', phase: 'open', operation: null, prefix: null, since: '' },
      membership: {
        epoch: 2,
        members: { m1: { region: 'new-york', role }, m2: { region: 'new-york', role: 'voter' } },
      },
      members: { m2: LEADER },
      frozen: undefined,
      stopped: undefined,
      promotion: undefined,
      rejoin: asked(),
      salvaged: undefined,
      openLosses: [],
      leaseTerm: null,
      handover: undefined,
      handedOver: undefined,
      ...estate,
    },
    local: {
      data: 'primary',
      process: 'stopped',
      recovering: null,
      upstream: null,
      storedTerm: null,
      storedEpoch: null,
      reconciledMapVersion: null,
      ...local,
    },
    memory: {
      ...blankMemory('m1'),
      estate: 'e1',
      incarnation: MINE,
      highestTerm: 2,
      quarantine: QUARANTINE,
      ...memory,
    },
  };
  return decideAction(input);
}

const SHUT = { kind: 'hold', state: 'quarantined' } as const;
const restoring = asked({ stage: 'restore' });

describe('a quarantined member', () => {
  test('salvages when it is asked to, under this term and for this data', () => {
    expect(decide({})).toEqual({ kind: 'salvage', request: asked(), leader: LEADER });
  });

  test.each([
    ['under another term', { rejoin: asked({ term: 1 }) }],
    ['for other data', { rejoin: asked({ incarnation: 'cccc11112222' }) }],
    ['by nobody', { rejoin: undefined }],
    ['and has done so', { salvaged: salvaged() }],
    [
      'while a failover holds the cluster',
      {
        authority: {
          term: 2,
          leader: null,
          phase: 'fenced',
          operation: 'op',
          prefix: null,
          since: '',
        } as const,
      },
    ],
  ])('stays shut when it is asked %s', (_, estate) => {
    expect(decide({ estate })).toMatchObject(SHUT);
  });

  test('salvages anew for another operation than the one that it reported to', () => {
    expect(decide({ estate: { salvaged: salvaged({ operation: 'rejoin-0' }) } }).kind).toBe('salvage');
  });

  test('is restored as a learner only', () => {
    expect(decide({ estate: { rejoin: restoring } })).toMatchObject(SHUT);
    expect(decide({ estate: { rejoin: restoring }, role: 'learner' })).toEqual({
      kind: 'restore',
      operation: 'rejoin-1',
      method: 'rewind',
      leader: LEADER,
    });
  });

  test('is not restored while a loss that names it is not signed off, whoever asks', () => {
    const estate = { rejoin: restoring, openLosses: ['failover-1'] };
    expect(decide({ estate, role: 'learner' })).toEqual({
      ...SHUT,
      reason: 'the loss of failover-1 is not signed off',
    });
  });

  test('that was asked for nothing is never started', () => {
    expect(
      decide({ estate: { rejoin: undefined }, local: { data: 'standby' }, role: 'learner' }),
    ).toMatchObject(SHUT);
  });

  test('is salvaged also where the memory of its data is lost', () => {
    const estate = { rejoin: asked({ incarnation: null }) };
    expect(decide({ estate, memory: { incarnation: null, quarantine: null } }).kind).toBe('salvage');
  });
});

describe('rewound data', () => {
  const restore = {
    operation: 'rejoin-1',
    formerIncarnation: MINE,
    term: 2,
    method: 'rewind',
    reason: null,
    proved: false,
  } as const;
  const rewound = { quarantine: null, incarnation: 'dddd11112222', restore };
  const standby = { data: 'standby', process: 'running', recovering: true } as const;

  test('is compared with the leader before anything else', () => {
    expect(decide({ memory: rewound, local: standby, role: 'learner' })).toEqual({
      kind: 'prove',
      leader: LEADER,
    });
    expect(decide({ memory: rewound, local: { data: 'standby' }, role: 'learner' }).kind).toBe('prove');
  });

  test('is cloned anew when another term began before it was compared', () => {
    const memory = { ...rewound, restore: { ...restore, term: 1 } };
    expect(decide({ memory, local: standby, role: 'learner' }).kind).toBe('reclone');
  });

  test('is shut, and freezes nothing, while there is no leader', () => {
    const authority = {
      term: 2,
      leader: null,
      phase: 'fenced',
      operation: 'op',
      prefix: null,
      since: '',
    } as const;
    expect(decide({ memory: rewound, local: standby, estate: { authority }, role: 'learner' }).kind).toBe(
      'stop',
    );
  });

  test('is registered once it is proved, and says how it was made', () => {
    const memory = { ...rewound, restore: { ...restore, proved: true } };
    const local = { ...standby, upstream: 'm2_bbbb11112222' };
    expect(decide({ memory, local, role: 'learner' })).toEqual({ kind: 'register' });
  });

  test('that was interrupted halfway is thrown away', () => {
    const memory = { ...rewound, building: 'clone', restore: { ...restore, proved: true } } as const;
    expect(decide({ memory, local: { data: 'incomplete' }, role: 'learner' })).toEqual({
      kind: 'discard-incomplete',
    });
  });
});

test('only a rewind that says that it is done is one', () => {
  expect(judgeRewind('pg_rewind: servers diverged\npg_rewind: Done!')).toBeUndefined();
  expect(judgeRewind('pg_rewind: no rewind required')).toContain('no rewind is required');
  expect(judgeRewind('')).toContain('did not say');
});
