import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  AUTHORITY_TRANSITIONS,
  type AuthorityEvent,
  nextAuthority,
} from '../../../src/controlplane/authority.ts';
import type { AuthorityRecord } from '../../../src/domain/records.ts';

const PREFIX = { member: 'b', incarnation: 'i', timeline: 1, lsn: '0/1', positions: {} };
const event = fc.constantFrom<AuthorityEvent>(
  { kind: 'bootstrapped', leader: 'a' },
  { kind: 'fence', operation: 'op' },
  { kind: 'fence', operation: 'op', freeze: 'voters' },
  { kind: 'proved' },
  { kind: 'decide', leader: 'b', prefix: PREFIX },
  { kind: 'open' },
  { kind: 'abort', leader: 'a' },
  { kind: 'drain', operation: 'op' },
  { kind: 'back-out' },
  { kind: 'hand-over', leader: 'b', prefix: PREFIX },
);
const BOOTSTRAP: AuthorityRecord = {
  term: 1,
  leader: null,
  phase: 'bootstrap',
  operation: null,
  prefix: null,
  since: '',
};

test('over any events a term never falls, and no two leaders ever hold the same term', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const history = [BOOTSTRAP];
      for (const each of events) {
        const before = history.at(-1) ?? BOOTSTRAP;
        if (AUTHORITY_TRANSITIONS[before.phase][each.kind] !== null)
          history.push(nextAuthority(before, each, ''));
      }
      const terms = history.map(({ term }) => term);
      expect(terms).toEqual(terms.toSorted((x, y) => x - y));
      const opened = history.filter(({ phase }) => phase === 'open');
      expect(opened.every(({ leader }) => leader !== null)).toBe(true);
      const byTerm = Map.groupBy(opened, ({ term }) => term);
      for (const records of byTerm.values())
        expect(new Set(records.map(({ leader }) => leader)).size).toBe(1);
    }),
  );
});

test('an event that the table does not allow is refused', () => {
  expect(() => nextAuthority(BOOTSTRAP, { kind: 'fence', operation: 'op' }, '')).toThrow(
    /can't take the event/,
  );
});

test('a fence raises the term and leaves nobody; only a decided prefix or an abort opens again', () => {
  const opened = nextAuthority(BOOTSTRAP, { kind: 'bootstrapped', leader: 'a' }, 't');
  const fenced = nextAuthority(opened, { kind: 'fence', operation: 'op' }, 't');
  expect(fenced).toMatchObject({ term: 2, leader: null, phase: 'fenced', operation: 'op' });
  const aborted = nextAuthority(fenced, { kind: 'abort', leader: 'a' }, 't');
  expect(aborted).toMatchObject({ term: 3, leader: 'a', phase: 'open', operation: null });
  const decided = nextAuthority(fenced, { kind: 'decide', leader: 'b', prefix: PREFIX }, 't');
  expect(decided).toMatchObject({ term: 2, leader: 'b', phase: 'promoting', prefix: PREFIX });
  expect(() => nextAuthority(decided, { kind: 'abort', leader: 'a' }, 't')).toThrow(/promoting/);
  expect(nextAuthority(decided, { kind: 'open' }, 't')).toMatchObject({
    term: 2,
    leader: 'b',
    phase: 'open',
  });
});

test('only voters freeze from a regional fence until its proof; the term stays, and nothing of it outlives the fence', () => {
  const opened = nextAuthority(BOOTSTRAP, { kind: 'bootstrapped', leader: 'a' }, 't');
  const fenced = nextAuthority(opened, { kind: 'fence', operation: 'op', freeze: 'voters' }, 't');
  expect(fenced).toMatchObject({ term: 2, phase: 'fenced', freeze: 'voters' });
  const proved = nextAuthority(fenced, { kind: 'proved' }, 't');
  expect(proved).toMatchObject({ term: 2, phase: 'fenced', leader: null, operation: 'op', freeze: 'all' });
  expect(nextAuthority(proved, { kind: 'decide', leader: 'b', prefix: PREFIX }, 't')).not.toHaveProperty(
    'freeze',
  );
  expect(nextAuthority(fenced, { kind: 'abort', leader: 'a' }, 't')).not.toHaveProperty('freeze');
  expect(() => nextAuthority(opened, { kind: 'proved' }, 't')).toThrow(/can't take the event/);
});

test('a leader that drains keeps its term, or another one leads the next', () => {
  const opened = nextAuthority(BOOTSTRAP, { kind: 'bootstrapped', leader: 'a' }, 't');
  const draining = nextAuthority(opened, { kind: 'drain', operation: 'op' }, 't');
  expect(draining).toMatchObject({ term: 1, leader: 'a', phase: 'draining', operation: 'op' });
  expect(nextAuthority(draining, { kind: 'back-out' }, 't')).toMatchObject({
    term: 1,
    leader: 'a',
    phase: 'open',
    operation: null,
  });
  const decided = nextAuthority(draining, { kind: 'hand-over', leader: 'b', prefix: PREFIX }, 't');
  expect(decided).toMatchObject({
    term: 2,
    leader: 'b',
    phase: 'promoting',
    operation: 'op',
    prefix: PREFIX,
  });
  expect(() => nextAuthority(draining, { kind: 'fence', operation: 'other' }, 't')).toThrow(/can't take/);
});
