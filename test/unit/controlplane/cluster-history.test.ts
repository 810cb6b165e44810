import { expect, test } from 'vitest';
import { termsOf } from '../../../src/controlplane/cluster-history.ts';
import type { LossRecord } from '../../../src/domain/loss-records.ts';
import type { AuditRecord, OperationRecord } from '../../../src/domain/operation-records.ts';
import type { AuthorityRecord } from '../../../src/domain/records.ts';

const authority = (term: number, leader: string | null): AuthorityRecord => ({
  term,
  leader,
  phase: leader === null ? 'fenced' : 'open',
  operation: null,
  prefix: null,
  since: `2026-11-22T2${term}:00:00.000Z`,
});
const beginning = {
  at: '2026-11-22T20:00:00.000Z',
  actor: 'agent:a',
  action: 'authority.bootstrapped',
  after: authority(1, 'a'),
} as unknown as AuditRecord;

const step = (name: string, result: object) => ({
  name,
  startedAt: beginning.at,
  finishedAt: beginning.at,
  result,
});

function failover(options: {
  readonly term: number;
  readonly status: OperationRecord['status'];
  readonly steps: readonly ReturnType<typeof step>[];
}): OperationRecord {
  return {
    id: `f${options.term}`,
    kind: 'failover',
    cluster: 'c1',
    actor: 'agent:b',
    reason: 'a has not renewed',
    plan: { term: options.term, nextTerm: options.term + 1, loss: { decisions: '0' } },
    createdAt: `2026-11-22T2${options.term}:30:00.000Z`,
    updatedAt: `2026-11-22T2${options.term}:45:00.000Z`,
    ...options,
  } as unknown as OperationRecord;
}

const done = failover({
  term: 1,
  status: 'done',
  steps: [
    step('fence', { fencedAt: '2026-11-22T21:30:00.000Z' }),
    step('proof', { kind: 'frozen-voters', holds: true, frozen: [{ member: 'b' }] }),
    step('decide', { prefix: { member: 'b', timeline: 1, lsn: '0/5', positions: { '1': '7', '2': '9' } } }),
    step('verify', { timeline: 2 }),
    step('open', { openedAt: '2026-11-22T21:30:01.000Z' }),
    step('settle', { pauseMs: 900, sinceFaultMs: 4_800, rtoMaxMs: 600_000 }),
  ],
});
const aborted = failover({
  term: 2,
  status: 'aborted',
  steps: [
    step('fence', { fencedAt: '2026-11-22T22:30:00.000Z' }),
    step('freeze', { abortedBy: 'sre', reason: 'it came back', leader: 'b', term: 4 }),
  ],
});

test('each term says who led, from which prefix, what the change cost, how it ended and who made it', () => {
  const terms = termsOf({
    authority: authority(4, 'b'),
    operations: [aborted, done],
    audit: [beginning],
    timeline: 2,
  });
  expect(terms.map(({ term, leader, timeline, end, actor }) => [term, leader, timeline, end, actor])).toEqual(
    [
      [1, 'a', 1, 'failover', 'agent:a'],
      [2, 'b', 2, 'failover', 'agent:b'],
      [3, null, null, 'abort', 'agent:b'],
      [4, 'b', 2, 'current', 'sre'],
    ],
  );
  expect(terms[1]).toEqual({
    term: 2,
    leader: 'b',
    timeline: 2,
    beganAt: '2026-11-22T21:30:00.000Z',
    openedAt: '2026-11-22T21:30:01.000Z',
    endedAt: '2026-11-22T22:30:00.000Z',
    end: 'failover',
    operation: 'f1',
    prefix: { lsn: '0/5', timeline: 1, positions: 2 },
    expectedLoss: '0',
    pauseMs: 900,
    faultToServingMs: 4_800,
    loss: null,
    rtoMaxMs: 600_000,
    fence: { kind: 'frozen-voters', frozen: ['b'], statement: null },
    actor: 'agent:b',
    reason: 'a has not renewed',
  });
  expect(terms[3]).toMatchObject({ operation: 'f2', openedAt: aborted.updatedAt, reason: 'it came back' });
});

test('a failover under way is a term that nobody has opened', () => {
  const running = failover({ term: 1, status: 'running', steps: [step('fence', {})] });
  const terms = termsOf({
    authority: authority(2, null),
    operations: [running],
    audit: [beginning],
    timeline: null,
  });
  expect(terms.at(-1)).toMatchObject({
    term: 2,
    leader: null,
    openedAt: null,
    pauseMs: null,
    fence: null,
    end: 'current',
  });
});

test('an authority that no operation tells of is shown as etcd has it', () => {
  const terms = termsOf({ authority: authority(3, 'a'), operations: [], audit: [beginning], timeline: 1 });
  expect(terms.map(({ term, actor }) => [term, actor])).toEqual([
    [1, 'agent:a'],
    [3, null],
  ]);
});

test('a failover to another region says what proved its fence, what it may have lost and what became of that', () => {
  const regional = failover({
    term: 1,
    status: 'done',
    steps: [
      step('proof', { kind: 'attested', holds: true, by: 'sre', statement: 'sre attests: power is off' }),
      step('decide', {
        prefix: { member: 'c', timeline: 1, lsn: '0/5', positions: { '1': '7' } },
        loss: { known: 4, possible: 30, accepted: 100 },
      }),
    ],
  });
  const loss = { status: 'signed-off', lost: 6 } as unknown as LossRecord;
  const terms = termsOf({
    authority: authority(2, 'c'),
    operations: [regional],
    audit: [beginning],
    losses: new Map([['f1', loss]]),
    timeline: 2,
  });
  expect(terms[1]).toMatchObject({
    leader: 'c',
    fence: { kind: 'attested', frozen: [], statement: 'sre attests: power is off' },
    loss: { known: 4, possible: 30, accepted: 100, status: 'signed-off', lost: 6 },
  });
});
