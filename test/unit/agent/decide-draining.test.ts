import { expect, test } from 'vitest';
import type { Action, EstateFacts, LocalFacts } from '../../../src/agent/action.ts';
import { decideAction } from '../../../src/agent/decide-action.ts';
import { type AgentMemory, blankMemory } from '../../../src/agent/memory.ts';
import type { HandoverReport, HandoverRequest } from '../../../src/domain/agent-reports.ts';
import type { AuthorityRecord } from '../../../src/domain/records.ts';

const ME = 'm1';
const OTHER = 'm2';
const THIRD = 'm3';
const incarnationOf = (member: string) => `${member}-1`;
const registered = (name: string) => ({
  name,
  cluster: 'c1',
  region: 'new-york',
  incarnation: incarnationOf(name),
  systemIdentifier: '7',
  registeredAt: '',
});

const authority = (over: Partial<AuthorityRecord> = {}): AuthorityRecord => ({
  term: 2,
  leader: ME,
  phase: 'draining',
  operation: 'op',
  prefix: null,
  since: '',
  ...over,
});
const request: HandoverRequest = {
  operation: 'op',
  term: 2,
  leader: ME,
  target: OTHER,
  incarnation: incarnationOf(OTHER),
  budgetMs: 1_000,
};
const end = { timeline: 1, checkpointLsn: '0/5000000', positions: {} };
const report = (member: string, over: Partial<HandoverReport> = {}): HandoverReport =>
  ({
    operation: 'op',
    term: 2,
    member,
    incarnation: incarnationOf(member),
    at: '',
    outcome: 'handed-over',
    end,
    ...over,
  }) as HandoverReport;

interface Given {
  readonly member?: string;
  readonly authority?: Partial<AuthorityRecord>;
  readonly estate?: Partial<EstateFacts>;
  readonly local?: Partial<LocalFacts>;
  readonly memory?: Partial<AgentMemory>;
}

function decide({ member = ME, authority: over, estate, local, memory }: Given): Action {
  const data = local?.data ?? 'primary';
  const role = { region: 'new-york', role: 'voter' } as const;
  return decideAction({
    member,
    estate: {
      incarnation: 'e1',
      mapVersion: 1,
      record: { name: 'c1', homeRegion: 'new-york', bootstrapMember: ME, createdAt: '' },
      authority: authority(over),
      membership: { epoch: 1, members: { [ME]: role, [OTHER]: role, [THIRD]: role } },
      members: { [ME]: registered(ME), [OTHER]: registered(OTHER), [THIRD]: registered(THIRD) },
      frozen: undefined,
      stopped: undefined,
      promotion: undefined,
      leaseTerm: 2,
      rejoin: undefined,
      salvaged: undefined,
      openLosses: [],
      handover: request,
      handedOver: undefined,
      ...estate,
    },
    local: {
      data,
      process: 'running',
      recovering: data === 'standby',
      upstream: null,
      storedTerm: 2,
      storedEpoch: 1,
      reconciledMapVersion: 1,
      ...local,
    },
    memory: {
      ...blankMemory(member),
      estate: 'e1',
      incarnation: incarnationOf(member),
      highestTerm: 2,
      ledTerm: 2,
      ...memory,
    },
  });
}

const STOPPED = { process: 'stopped', recovering: null, storedTerm: null, storedEpoch: null } as const;
const FOLLOWS = { data: 'standby', upstream: `${ME}_${incarnationOf(ME)}` } as const;
const NOTED = { handedOver: { term: 2, operation: 'op', positions: {} } };
const frozenFor = (term: number) => ({
  term,
  operation: 'op',
  member: OTHER,
  incarnation: incarnationOf(OTHER),
  timeline: 1,
  receivedLsn: '0/5000078',
  replayedLsn: '0/5000078',
  positions: {},
  frozenAt: '',
});
const LED_ON = { leader: OTHER, term: 3, phase: 'open' } as const;

test.each<[string, Given, Partial<Action>]>([
  ['a leader that drains hands over', {}, { kind: 'hand-over', request }],
  ['also when its Postgres is gone: that is looked at there', { local: STOPPED }, { kind: 'hand-over' }],
  [
    'it is never started as a primary meanwhile',
    { local: STOPPED, memory: NOTED, estate: { handedOver: report(ME) } },
    { kind: 'hold', state: 'handing-over' },
  ],
  [
    'one that is still running although it has reported is shut down again',
    { memory: NOTED, estate: { handedOver: report(ME) } },
    { kind: 'hand-over' },
  ],
  [
    'a report of another operation says nothing of this one',
    { local: STOPPED, estate: { handedOver: report(ME, { operation: 'another' }) } },
    { kind: 'hand-over' },
  ],
  [
    'without a request nothing is handed over',
    { estate: { handover: undefined } },
    { kind: 'hold', state: 'handing-over' },
  ],
  [
    'a Postgres that does not answer yet is waited for',
    { local: { process: 'starting', recovering: null } },
    { kind: 'hold', state: 'handing-over' },
  ],
  ['backed out, the leader leads', { authority: { phase: 'open', operation: null } }, { kind: 'lead' }],
  [
    'backed out after its end, the leader is started again',
    { authority: { phase: 'open', operation: null }, local: STOPPED, memory: NOTED },
    { kind: 'start', as: 'primary' },
  ],
  ['the target follows on until the leader has ended', { member: OTHER, local: FOLLOWS }, { kind: 'hold' }],
  [
    'then it reports what it holds, for the next term',
    { member: OTHER, local: FOLLOWS, estate: { handedOver: report(ME) } },
    { kind: 'take-over', term: 3, operation: 'op', end },
  ],
  [
    'once',
    { member: OTHER, local: FOLLOWS, estate: { handedOver: report(ME), frozen: frozenFor(3) } },
    { kind: 'hold', state: 'frozen' },
  ],
  [
    'another follower goes on following',
    { member: THIRD, local: FOLLOWS, estate: { handedOver: report(ME) } },
    { kind: 'hold', state: 'following' },
  ],
  [
    'while the next leader is promoted, the old one stays shut',
    { authority: { leader: OTHER, term: 3, phase: 'promoting' }, local: STOPPED, memory: NOTED },
    { kind: 'hold', state: 'fenced' },
  ],
  [
    'also until that one has its lease',
    { authority: LED_ON, local: STOPPED, memory: NOTED },
    { kind: 'hold', state: 'fenced' },
  ],
  [
    'then what was handed over becomes a standby’s',
    { authority: LED_ON, local: STOPPED, memory: NOTED, estate: { leaseTerm: 3 } },
    { kind: 'demote' },
  ],
  [
    'what was led again after it was handed over is quarantined',
    {
      authority: LED_ON,
      local: STOPPED,
      memory: { handedOver: { term: 1, operation: 'op', positions: {} } },
      estate: { leaseTerm: 3 },
    },
    { kind: 'quarantine' },
  ],
  [
    'without the note it is quarantined, whatever was reported',
    { authority: LED_ON, local: STOPPED, estate: { leaseTerm: 3, handedOver: report(ME) } },
    { kind: 'quarantine' },
  ],
])('%s', (_claim, given, expected) => {
  expect(decide(given)).toMatchObject(expected);
});
