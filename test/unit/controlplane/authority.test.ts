import fc from 'fast-check';
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
  { kind: 'decide', leader: 'b', prefix: PREFIX },
  { kind: 'open' },
  { kind: 'abort', leader: 'a' },
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
      const leaders = new Map<number, string>();
      let authority = BOOTSTRAP;
      for (const each of events) {
        if (AUTHORITY_TRANSITIONS[authority.phase][each.kind] === null) {
          expect(() => nextAuthority(authority, each, '')).toThrow(/can't take the event/);
          continue;
        }
        const next = nextAuthority(authority, each, '');
        expect(next.term).toBeGreaterThanOrEqual(authority.term);
        if (next.phase === 'open') {
          const leader = next.leader ?? '';
          expect(leader).not.toBe('');
          expect(leaders.get(next.term) ?? leader).toBe(leader);
          leaders.set(next.term, leader);
        }
        authority = next;
      }
    }),
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
  expect(() => nextAuthority(decided, { kind: 'abort', leader: 'a' }, 't')).toThrow();
  expect(nextAuthority(decided, { kind: 'open' }, 't')).toMatchObject({
    term: 2,
    leader: 'b',
    phase: 'open',
  });
});
