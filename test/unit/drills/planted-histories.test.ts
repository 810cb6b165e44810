import { describe, expect, test } from 'vitest';
import { check } from '../../../src/drills/checker/check.ts';
import { excerptOf } from '../../../src/drills/checker/excerpt.ts';
import type { Rule } from '../../../src/drills/checker/verdict.ts';
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

/** A checker that finds nothing proves nothing: each kind of broken promise is planted, alone, and small. */
const HEADER: HistoryEntry = {
  kind: 'header',
  format: 'capstan-history/1',
  drill: null,
  seed: null,
  version: 'test',
  startedAt: '2026-01-01T00:00:00.000Z',
  shardCount: null,
  leaseTtlMs: 100,
  options: {},
};
const right = (member: string, term: number, asked_t: number): HistoryEntry => ({
  kind: 'authority',
  asked_t,
  cluster: 'c1',
  member,
  term,
});
const ISOLATED: HistoryEntry = { kind: 'isolated', phase: 'began', cluster: 'c1', member: 'm1', term: 1 };
const LOST: HistoryEntry = {
  kind: 'lost',
  issuer: 'ACME',
  token: 'x',
  commit_token: 'shard2@2~1.1',
  operation: 'failover-1',
};
const LOSS: HistoryEntry = {
  kind: 'loss',
  cluster: 'c1',
  operation: 'failover-1',
  former_term: 1,
  forecast: 2,
  exposure_ms: 3_000,
  budget_ms: 5_000,
  accepted: null,
  allowed: 2,
  lost: 1,
};
const LIMIT_LOGGED = log(1, {
  event: 'limit_set',
  token: 'lim',
  amount: '100.00',
  reserved_after: '0.00',
  limit_after: '100.00',
});
const reservedAt = (position: number, amount: string, after: string) =>
  log(position, {
    token: `t${position}`,
    reservation: `res-t${position}`,
    amount,
    reserved_after: after,
    limit_after: '100.00',
  });

const PLANTED: readonly (readonly [Rule, string, HistoryLine[]])[] = [
  [
    'allocation',
    'a confirmed reserve goes over the limit, in somebody else’s form',
    history(
      LIMIT_100,
      does('a', reserve('x', '60.00'), at(2, { reserved_after: '60.00' })),
      does('b', reserve('y', '60.00'), at(3, { reserved_after: '120.00' })),
    ),
  ],
  [
    'allocation',
    'the reserves add up to more than the limit, whatever the answers leave unsaid',
    history(LIMIT_100, does('a', reserve('x', '60.00'), at(2)), does('b', reserve('y', '60.00'), at(3))),
  ],
  [
    'allocation',
    'an answer says another total than its predecessors lead to',
    history(
      LIMIT_100,
      does('a', reserve('x', '10.00'), at(2, { reserved_after: '10.00' })),
      does('b', reserve('y', '10.00'), at(3, { reserved_after: '10.00' })),
    ),
  ],
  [
    'allocation',
    'an entry of the log goes over the limit',
    history(
      base(0),
      does('a', reserve('t3', '60.00'), at(3)),
      head(3),
      LIMIT_LOGGED,
      reservedAt(2, '60.00', '60.00'),
      reservedAt(3, '60.00', '120.00'),
    ),
  ],
  [
    'allocation',
    'the log releases what is not held',
    history(
      base(0),
      does('a', read, shows(1, {})),
      head(2),
      LIMIT_LOGGED,
      log(2, {
        event: 'released',
        token: 'r',
        reservation: 'nobody',
        amount: '0.00',
        reserved_after: '0.00',
      }),
    ),
  ],
  [
    'allocation',
    'the client was told another remainder than the log holds',
    history(
      base(0),
      does('a', reserve('t2', '60.00'), at(2, { remaining: '41.00' })),
      head(2),
      LIMIT_LOGGED,
      reservedAt(2, '60.00', '60.00'),
    ),
  ],
  [
    'durability',
    'a confirmed decision is not found at the end',
    history(
      base(0),
      does('a', setLimit('lim', '100.00'), at(1)),
      does('a', reserve('gone', '1.00'), at(2)),
      head(1),
      LIMIT_LOGGED,
    ),
  ],
  [
    'durability',
    'a decision is held under another term than was reported',
    history(
      base(0),
      does('a', reserve('t2', '60.00'), at(2, { term: 2 })),
      head(2),
      LIMIT_LOGGED,
      reservedAt(2, '60.00', '60.00'),
    ),
  ],
  [
    'one-outcome',
    'a replay has another outcome',
    history(
      LIMIT_100,
      does('a', reserve('x', '10.00'), at(2, { replayed: false })),
      does('b', reserve('x', '10.00'), at(2, { replayed: true, outcome: 'rejected' })),
    ),
  ],
  [
    'one-outcome',
    'a replay is not the first answer byte for byte',
    history(
      LIMIT_100,
      does('a', reserve('x', '10.00'), at(2, { replayed: false, digest: 'aa' })),
      does('b', reserve('x', '10.00'), at(2, { replayed: true, digest: 'bb' })),
    ),
  ],
  [
    'one-outcome',
    'one token is new twice',
    history(
      LIMIT_100,
      does('a', reserve('x', '10.00'), at(2, { replayed: false })),
      does('b', reserve('x', '10.00'), at(2, { replayed: false })),
    ),
  ],
  [
    'one-outcome',
    'the log decides one token twice',
    history(base(0), does('a', read, shows(1, {})), head(3), LIMIT_LOGGED, reservedAt(2, '1.00', '1.00'), {
      ...reservedAt(3, '1.00', '2.00'),
      token: 't2',
    } as HistoryEntry),
  ],
  [
    'order',
    'what was asked for later has the lower position',
    history(
      does('a', { ...reserve('x', '1.00'), issuer: 'OTHER' }, at(9)),
      does('b', reserve('y', '1.00'), at(8)),
    ),
  ],
  [
    'order',
    'two tokens share a position',
    history(
      asks('a', { ...reserve('x', '1.00'), issuer: 'OTHER' }),
      asks('b', reserve('y', '1.00')),
      answers('a', at(9)),
      answers('b', at(9)),
    ),
  ],
  [
    'order',
    'the log has a gap',
    history(base(0), does('a', read, shows(1, {})), head(3), LIMIT_LOGGED, reservedAt(3, '1.00', '1.00')),
  ],
  [
    'order',
    'the head is beyond the log',
    history(base(0), does('a', read, shows(1, {})), head(2), LIMIT_LOGGED),
  ],
  [
    'rejection',
    'a reserve is rejected with room at its position',
    history(
      LIMIT_100,
      does('a', reserve('x', '60.00'), at(2, { outcome: 'rejected', reserved_after: '0.00' })),
    ),
  ],
  [
    'rejection',
    'a reserve is rejected with room all the while, by an answer without a position',
    history(
      does('op', setLimit('lim', '100.00'), {
        result: { ...at(1).result, position: null, commit_token: null, reserved_after: '0.00' } as never,
      }),
      asks('b', reserve('y', '30.00')),
      does('a', reserve('x', '60.00'), {
        result: { ...at(2).result, position: null, commit_token: null, outcome: 'rejected' } as never,
      }),
      answers('b', info),
    ),
  ],
  [
    'rejection',
    'a release is rejected although the reservation is open',
    history(
      LIMIT_100,
      does('a', reserve('x', '60.00'), at(2)),
      does('a', release('r', 'res-x'), at(3, { outcome: 'rejected' })),
    ),
  ],
  [
    'rejection',
    'a reserve is rejected for a release’s reason',
    history(
      LIMIT_100,
      does('a', reserve('x', '600.00'), at(2, { outcome: 'rejected', reason: 'already_released' })),
    ),
  ],
  [
    'unknown',
    'what promised no effect is in the log',
    history(
      base(0),
      does('op', setLimit('lim', '100.00'), at(1)),
      does('a', reserve('t2', '60.00'), fail),
      head(2),
      LIMIT_LOGGED,
      reservedAt(2, '60.00', '60.00'),
    ),
  ],
  [
    'unknown',
    'what was left unknown is in the log and nobody ever resolved it',
    history(
      base(0),
      does('op', setLimit('lim', '100.00'), at(1)),
      does('a', reserve('t2', '60.00'), info),
      head(2),
      LIMIT_LOGGED,
      reservedAt(2, '60.00', '60.00'),
    ),
  ],
  [
    'unknown',
    'what was left unknown resolves as not found; the log holds it',
    history(
      base(0),
      does('op', setLimit('lim', '100.00'), at(1)),
      does('a', reserve('t2', '60.00'), info),
      does('a', resolve('t2'), notFound),
      head(2),
      LIMIT_LOGGED,
      reservedAt(2, '60.00', '60.00'),
    ),
  ],
  [
    'authority',
    'along positions a term falls',
    history(
      does('op', setLimit('lim', '100.00'), at(1, { term: 2 })),
      does('a', reserve('x', '1.00'), at(2, { term: 1 })),
    ),
  ],
  [
    'authority',
    'the log names an authority that its lineage lacks',
    history(
      base(0),
      does('a', read, shows(1, {})),
      head(2),
      lineage(1, 1),
      lineage(2, 2),
      LIMIT_LOGGED,
      reservedAt(2, '1.00', '1.00'),
    ),
  ],
  [
    'authority',
    'a right outlives its authority by more than a lease',
    history(
      HEADER,
      does('op', setLimit('lim', '100.00'), at(1, { term: 2 })),
      { at: 500 },
      right('c1-new-york-1', 1, 450),
      head(1),
      lineage(1, 1),
      lineage(2, 1),
      { ...LIMIT_LOGGED, term: 2 } as HistoryEntry,
    ),
  ],
  [
    'authority',
    'two members hold the right of one term',
    history(
      does('op', setLimit('lim', '1.00'), at(1)),
      right('c1-new-york-1', 1, 15),
      right('c1-new-york-2', 1, 25),
    ),
  ],
  [
    'authority',
    'an issuer’s decisions name two shards',
    history(
      does('op', setLimit('lim', '100.00'), at(1)),
      does('a', reserve('x', '1.00'), { result: { ...at(2).result, commit_token: 'shard3@2~1.1' } as never }),
    ),
  ],
  [
    'reads',
    'a read is older than what was answered before it was asked',
    history(
      LIMIT_100,
      does('a', reserve('x', '60.00'), at(2)),
      does('b', read, shows(1, { reserved: '0.00' })),
    ),
  ],
  [
    'reads',
    'a read is older than the commit token that it was bound to',
    history(
      LIMIT_100,
      asks('a', reserve('x', '60.00')),
      asks('b', { ...read, at_least: 'shard2@2~1.1' }),
      answers('a', at(2)),
      answers('b', shows(1, { reserved: '0.00' })),
    ),
  ],
  [
    'reads',
    'a read shows another total than the log leads to',
    history(
      LIMIT_100,
      does('a', reserve('x', '60.00'), at(2)),
      does('b', read, shows(2, { reserved: '61.00' })),
    ),
  ],
  [
    'reads',
    'a read shows what nobody had asked for yet',
    history(LIMIT_100, does('b', read, shows(5, {})), does('a', reserve('x', '60.00'), at(3))),
  ],
  [
    'reads',
    'a read finds no such issuer after its limit was confirmed',
    history(LIMIT_100, does('b', read, { ...shows(0, {}), as_of: null, code: 'issuer_not_found' })),
  ],
  [
    'reads',
    'a token is not found after its decision was answered to somebody',
    history(LIMIT_100, does('a', reserve('x', '60.00'), at(2)), does('b', resolve('x'), notFound)),
  ],
  [
    'reads',
    'a token is not found although a later decision had been answered',
    history(
      LIMIT_100,
      asks('a', reserve('x', '60.00')),
      does('b', reserve('y', '1.00'), at(3)),
      does('c', resolve('x'), notFound),
      answers('a', at(2)),
    ),
  ],
  [
    'authority',
    'a leader that is cut off holds its right for longer than a lease',
    history(HEADER, ISOLATED, { at: 300 }, right('m1', 1, 250)),
  ],
  [
    'authority',
    'a leader that is cut off decides what was asked more than a lease later',
    history(
      HEADER,
      LIMIT_100,
      ISOLATED,
      { at: 300 },
      does('a', reserve('x', '60.00'), at(2, { replayed: false })),
      lineage(1, 1),
    ),
  ],
  ['loss', 'more is lost than was foreseen', history({ ...LOSS, lost: 3 })],
  [
    'loss',
    'more time than the budget is at risk, and nobody has accepted that',
    history({ ...LOSS, exposure_ms: 6_000 }),
  ],
  [
    'loss',
    'a lost decision that had been reported is not found',
    history(
      LIMIT_100,
      does('a', reserve('x', '60.00'), at(2, { replayed: false })),
      LOST,
      does('b', resolve('x'), notFound),
    ),
  ],
  [
    'loss',
    'a lost token is said to be lost by another operation',
    history(
      LIMIT_100,
      does('a', reserve('x', '60.00'), at(2, { replayed: false })),
      LOST,
      does('b', resolve('x'), at(2, { outcome: 'lost', lost_by: 'failover-9' })),
    ),
  ],
];

const brokenBy = (lines: Iterable<HistoryLine>): Rule[] =>
  check(lines)
    .rules.filter(({ status }) => status === 'broken')
    .map(({ rule }) => rule);

describe('the checker rejects a history in which', () => {
  test.each(PLANTED)('%s: %s', (rule, _, lines) => {
    expect(brokenBy(lines)).toEqual([rule]);
    const [violation] = check(lines).violations;
    if (violation === undefined) throw new Error('no violation');
    const excerpt = excerptOf(violation);
    expect(brokenBy(excerpt.lines)).toContain(rule);
    expect(excerpt.minimal).toBe(true);
    expect(excerpt.lines.length).toBeLessThanOrEqual(lines.length);
  });
});

test('every rule has a history that breaks it', () => {
  const rules = check([]).rules.map(({ rule }) => rule);
  expect(new Set(PLANTED.map(([rule]) => rule))).toEqual(new Set(rules));
});

test('without its evidence a rule is not judged, and never held', () => {
  const { rules, held } = check(history(does('a', reserve('x', '1.00'), info)));
  expect(rules.map(({ status }) => status)).toEqual(rules.map(() => 'not judged'));
  expect(rules.every(({ why }) => why !== null)).toBe(true);
  expect(held).toBe(false);
});
