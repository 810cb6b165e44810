import { expect, test } from 'vitest';
import { check } from '../../../src/drills/checker/check.ts';
import { searchLinearization } from '../../../src/drills/checker/search.ts';
import type { HistoryEntry, HistoryLine } from '../../../src/drills/history/types.ts';
import {
  answers,
  asks,
  at,
  base,
  does,
  fail,
  head,
  history,
  info,
  LIMIT_100,
  lineage,
  log,
  notFound,
  read,
  release,
  reserve,
  resolve,
  setLimit,
  shows,
} from '../../support/history-lines.ts';

/** A checker that cries wolf is switched off: nasty, and correct. */
const LIMIT_LOGGED = log(1, {
  event: 'limit_set',
  token: 'lim',
  amount: '100.00',
  reserved_after: '0.00',
  limit_after: '100.00',
});
const entry = (position: number, change: Parameters<typeof log>[1]): HistoryEntry =>
  log(position, { limit_after: '100.00', ...change });

test.each<[string, HistoryLine[]]>([
  [
    'two at once are decided against the order of their requests and of their answers',
    history(
      LIMIT_100,
      asks('a', reserve('x', '60.00')),
      asks('b', reserve('y', '40.00')),
      answers('b', at(2, { reserved_after: '40.00' })),
      answers('a', at(3, { reserved_after: '100.00' })),
    ),
  ],
  [
    'a rejection is answered before the reserve that took its room',
    history(
      LIMIT_100,
      asks('a', reserve('x', '60.00')),
      asks('b', reserve('y', '60.00')),
      answers('b', at(3, { outcome: 'rejected', reserved_after: '60.00' })),
      answers('a', at(2, { reserved_after: '60.00' })),
    ),
  ],
  [
    'a rejection found the room taken by a reserve whose own answer was lost',
    history(
      LIMIT_100,
      does('a', reserve('x', '60.00'), info),
      does('b', reserve('y', '60.00'), at(3, { outcome: 'rejected', reserved_after: '60.00' })),
    ),
  ],
  [
    'a request whose client gave up is carried out much later, and replayed to its retry',
    history(
      base(0),
      LIMIT_100,
      does('a', reserve('x', '60.00'), info),
      does('b', resolve('x'), notFound),
      does('b', reserve('y', '1.00'), at(2, { replayed: false })),
      does('a', reserve('x', '60.00'), at(3, { replayed: true })),
      head(3),
      LIMIT_LOGGED,
      entry(2, { token: 'y', reservation: 'res-y', amount: '1.00', reserved_after: '1.00' }),
      entry(3, { token: 'x', reservation: 'res-x', amount: '60.00', reserved_after: '61.00' }),
    ),
  ],
  [
    'the first answer says that it is a replay: the gateway lost its reply and asked again',
    history(
      base(0),
      LIMIT_100,
      does('a', reserve('x', '60.00'), at(2, { replayed: true })),
      head(2),
      LIMIT_LOGGED,
      entry(2, { token: 'x', reservation: 'res-x', amount: '60.00', reserved_after: '60.00' }),
    ),
  ],
  [
    'a limit is set below what is reserved, and releases go on',
    history(
      LIMIT_100,
      does('a', reserve('x', '80.00'), at(2, { reserved_after: '80.00' })),
      does('op', setLimit('lower', '10.00'), at(3, { reserved_after: '80.00', limit_after: '10.00' })),
      does('b', reserve('y', '1.00'), at(4, { outcome: 'rejected', remaining: '-70.00' })),
      does('a', release('r', 'res-x'), at(5, { remaining: '10.00' })),
    ),
  ],
  [
    'a read of an issuer states its last change, which a later rejection is not',
    history(
      LIMIT_100,
      does('a', reserve('x', '600.00'), at(2, { outcome: 'rejected', remaining: '100.00' })),
      does('b', { ...read, at_least: 'shard2@2~1.1' }, shows(1, { limit: '100.00', reserved: '0.00' })),
    ),
  ],
  [
    'a follower states how old its state is',
    history(
      LIMIT_100,
      does('a', reserve('x', '60.00'), at(2)),
      does('b', read, shows(1, { reserved: '0.00' }, { staleness_ms: 40 })),
    ),
  ],
  [
    'a read between two answers shows the one or the other',
    history(
      LIMIT_100,
      asks('a', reserve('x', '60.00')),
      asks('b', read),
      asks('c', read),
      answers('c', shows(2, { reserved: '60.00' })),
      answers('b', shows(1, { reserved: '0.00' })),
      answers('a', at(2)),
    ),
  ],
  [
    'a failover loses decisions, their positions are decided again, and the retry is new',
    history(
      base(0),
      LIMIT_100,
      does('a', reserve('x', '60.00'), at(2, { replayed: false })),
      does('b', read, shows(2, { reserved: '60.00' })),
      does('c', reserve('y', '50.00'), at(2, { term: 2, replayed: false })),
      does('a', reserve('x', '60.00'), at(3, { term: 2, replayed: false, outcome: 'rejected' })),
      { kind: 'lost', issuer: 'ACME', token: 'x', commit_token: 'shard2@2~1.1', operation: 'failover-1' },
      head(3),
      lineage(1, 1),
      lineage(2, 2),
      LIMIT_LOGGED,
      entry(2, { token: 'y', reservation: 'res-y', amount: '50.00', reserved_after: '50.00', term: 2 }),
      entry(3, { token: 'x', event: 'reserve_rejected', amount: '60.00', reserved_after: '50.00', term: 2 }),
    ),
  ],
  [
    'a failover to another region loses what it was allowed to, and who asks is told so',
    history(
      LIMIT_100,
      { kind: 'isolated', phase: 'began', cluster: 'c1', member: 'm1', term: 1 },
      does('a', reserve('x', '60.00'), at(2, { replayed: false })),
      { kind: 'isolated', phase: 'ended', cluster: 'c1', member: 'm1', term: 1 },
      {
        kind: 'loss',
        cluster: 'c1',
        operation: 'failover-1',
        former_term: 1,
        forecast: null,
        exposure_ms: null,
        budget_ms: 5_000,
        accepted: 1,
        allowed: 1,
        lost: 1,
      },
      { kind: 'lost', issuer: 'ACME', token: 'x', commit_token: 'shard2@2~1.1', operation: 'failover-1' },
      does('b', resolve('x'), at(2, { outcome: 'lost', lost_by: 'failover-1' })),
    ),
  ],
  [
    'a leader that was cut off and leads on decides what had waited for the end of that',
    history(
      {
        kind: 'header',
        format: 'capstan-history/1',
        drill: null,
        seed: null,
        version: '0',
        startedAt: '2026-11-22T00:00:00.000Z',
        shardCount: null,
        leaseTtlMs: 100,
        options: {},
      },
      LIMIT_100,
      { kind: 'isolated', phase: 'began', cluster: 'c1', member: 'm1', term: 1 },
      { at: 300 },
      asks('a', reserve('x', '60.00')),
      { kind: 'isolated', phase: 'ended', cluster: 'c1', member: 'm1', term: 1 },
      answers('a', at(2, { replayed: false })),
      head(2),
      lineage(1, 1),
      LIMIT_LOGGED,
      entry(2, { token: 'x', amount: '60.00', reserved_after: '60.00' }),
    ),
  ],
  [
    'a process that asks again without an answer has left its request open',
    history(LIMIT_100, asks('a', reserve('x', '60.00')), does('a', reserve('y', '40.00'), at(3))),
  ],
  [
    'a refused request is tried again under its token',
    history(
      base(0),
      LIMIT_100,
      does('a', reserve('x', '60.00'), fail),
      does('a', reserve('x', '60.00'), at(2)),
      head(2),
      LIMIT_LOGGED,
      entry(2, { token: 'x', reservation: 'res-x', amount: '60.00', reserved_after: '60.00' }),
    ),
  ],
  [
    'an issuer existed before, with reservations that nobody here made',
    history(
      base(7),
      does('a', reserve('x', '10.00'), at(8, { remaining: '5.00' })),
      does('a', release('r', 'older'), at(9, { remaining: '25.00' })),
      head(9),
      log(8, {
        token: 'x',
        reservation: 'res-x',
        amount: '10.00',
        reserved_after: '95.00',
        limit_after: '100.00',
      }),
      log(9, {
        event: 'released',
        token: 'r',
        reservation: 'older',
        amount: '20.00',
        reserved_after: '75.00',
        limit_after: '100.00',
      }),
    ),
  ],
  [
    'amounts are beyond what a double holds',
    history(
      does('op', setLimit('lim', '1000000000000000.00'), at(1, { reserved_after: '0.00' })),
      does('a', reserve('x', '999999999999999.99'), at(2, { remaining: '0.01' })),
      does('a', reserve('y', '0.02'), at(3, { outcome: 'rejected', remaining: '0.01' })),
      does('a', reserve('z', '0.01'), at(4, { remaining: '0.00' })),
    ),
  ],
  [
    'an old leader’s right ends within a lease of the new term',
    history(
      {
        kind: 'header',
        format: 'capstan-history/1',
        drill: null,
        seed: null,
        version: 't',
        startedAt: '',
        shardCount: null,
        leaseTtlMs: 100,
        options: {},
      },
      does('op', setLimit('lim', '100.00'), at(1, { term: 2 })),
      { kind: 'authority', asked_t: 90, cluster: 'c1', member: 'c1-new-york-1', term: 1 },
      { kind: 'authority', asked_t: 95, cluster: 'c1', member: 'c1-new-york-2', term: 2 },
      head(1),
      lineage(1, 1),
      lineage(2, 1),
      { ...LIMIT_LOGGED, term: 2 } as HistoryEntry,
    ),
  ],
])('good: %s', (_, lines) => {
  const { violations, held } = check(lines);
  expect(violations.map(({ rule, message }) => `${rule}: ${message}`)).toEqual([]);
  expect(held).toBe(true);
  expect(searchLinearization(lines).kind).not.toBe('not linearizable');
});

test('a completion that answers nothing is no history', () => {
  const [invoke, ok] = history(does('a', reserve('x', '1.00'), at(1)));
  if (invoke === undefined || ok === undefined) throw new Error('no lines');
  expect(() => check([ok])).toThrow(/no request under way/);
  expect(() => check([invoke, { ...ok, token: 'other' } as HistoryLine])).toThrow(/something else/);
});
