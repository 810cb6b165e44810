import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type MembershipChanges,
  nextMembership,
  roleIn,
} from '../../../src/controlplane/membership/next-membership.ts';
import type { MemberRole, MembershipRecord } from '../../../src/domain/records.ts';

const HOME = 'new-york';
const AWAY = 'madrid';
const membership: MembershipRecord = {
  epoch: 4,
  members: {
    a: { region: HOME, role: 'voter' },
    b: { region: HOME, role: 'voter' },
    c: { region: AWAY, role: 'observer' },
    d: { region: HOME, role: 'learner' },
  },
};
const next = (changes: MembershipChanges, leader = 'a') => nextMembership({ membership, leader, changes });
const place = (region: string, role: MemberRole) => ({ region, role });

const allowed: readonly (readonly [string, MembershipChanges])[] = [
  ['a new member comes in as a learner', { e: place(AWAY, 'learner') }],
  ['a learner becomes a voter where the leader is', { d: place(HOME, 'voter') }],
  ['a voter becomes a learner', { b: place(HOME, 'learner') }],
  ['an observer becomes a learner', { c: place(AWAY, 'learner') }],
  ['a learner leaves', { d: null }],
];

const refused: readonly (readonly [string, string, MembershipChanges])[] = [
  ['the leader does not leave', 'member_leads', { a: null }],
  ['the leader keeps its vote', 'member_leads', { a: place(HOME, 'learner') }],
  ['a voter does not leave at once', 'member_not_learner', { b: null }],
  ['an observer does not leave at once', 'member_not_learner', { c: null }],
  ['a new member does not vote at once', 'member_not_learner', { e: place(HOME, 'voter') }],
  ['a new member does not observe at once', 'member_not_learner', { e: place(AWAY, 'observer') }],
  ['a member does not move', 'member_region_differs', { d: place(AWAY, 'learner') }],
  ['nobody votes from afar', 'role_not_in_region', { c: place(AWAY, 'voter') }],
  ['nobody observes from beside the leader', 'role_not_in_region', { d: place(HOME, 'observer') }],
  ['a name is a name', 'name_invalid', { E_: place(HOME, 'learner') }],
];

describe('the next membership', () => {
  it.each(allowed)('%s, one epoch later, and nobody else changes', (_, changes) => {
    const after = next(changes);
    expect(after.epoch).toBe(5);
    for (const [member, was] of Object.entries({ ...membership.members, ...changes }))
      expect(after.members[member] ?? null).toEqual(was);
  });

  it.each(refused)('%s', (_, code, changes) => {
    expect(() => next(changes)).toThrow(expect.objectContaining({ code }));
  });

  it('is the same record when everything is so already, or the absent is to leave', () => {
    expect(next({ b: place(HOME, 'voter'), d: place(HOME, 'learner') })).toBe(membership);
    expect(next({ e: null })).toBe(membership);
  });

  it('judges every role by the region of who leads after it, as a regional failover needs', () => {
    const after = next(
      { c: place(AWAY, 'voter'), a: place(HOME, 'observer'), b: place(HOME, 'observer') },
      'c',
    );
    expect(after.members).toEqual({
      a: place(HOME, 'observer'),
      b: place(HOME, 'observer'),
      c: place(AWAY, 'voter'),
      d: place(HOME, 'learner'),
    });
  });

  it('over any changes the epoch never falls, the leader votes, and no vote comes from afar', () => {
    const change = fc.record({
      member: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      to: fc.option(
        fc.record({
          region: fc.constantFrom(HOME, AWAY),
          role: fc.constantFrom<MemberRole>('voter', 'observer', 'learner'),
        }),
        { nil: null },
      ),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
        let at = membership;
        for (const { member, to } of changes) {
          const before = at;
          try {
            at = nextMembership({ membership: at, leader: 'a', changes: { [member]: to } });
          } catch {
            continue;
          }
          expect(at.epoch - before.epoch).toBe(at === before ? 0 : 1);
          expect(at.members['a']).toEqual(place(HOME, 'voter'));
          const settled = Object.values(at.members).filter(({ role }) => role !== 'learner');
          expect(settled.every(({ region, role }) => role === roleIn(region, HOME))).toBe(true);
        }
      }),
    );
  });
});
