import { assert, constantFrom, array, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { goalVerdict } from '../../../src/controlplane/rebalance/goal-table.ts';
import { REBALANCE } from '../../../src/controlplane/rebalance/phases.ts';
import {
  accepts,
  MOVE_TRANSITIONS,
  type MoveEvent,
  nextMove,
} from '../../../src/controlplane/rebalance/transitions.ts';
import type { MoveGoalKind, MovePhase, MoveRecord } from '../../../src/domain/move-records.ts';
import { otherOf } from '../../../src/domain/move-records.ts';
import { AT, move } from '../../support/move-views.ts';

const PHASES = Object.keys(MOVE_TRANSITIONS) as readonly MovePhase[];
const EVENTS = Object.keys(MOVE_TRANSITIONS.queued) as readonly MoveEvent[];
const GOALS: readonly MoveGoalKind[] = ['copy', 'verify', 'cutover', 'reverse', 'complete', 'cancel'];
const LATER = '2026-11-30T12:00:01.000Z';

/** SPEC.md, "Phases of a stream"; `noted` aside. */
const TABLE: Readonly<Record<MovePhase, Partial<Record<MoveEvent, MovePhase>>>> = {
  queued: { begin: 'copy', clean: 'clean' },
  copy: { ready: 'follow', lost: 'copy', clean: 'clean' },
  follow: { cutover: 'seal', lost: 'copy', clean: 'clean' },
  seal: { flip: 'turn', 'back-out': 'follow' },
  turn: { turned: 'follow', lost: 'parted', clean: 'clean' },
  parted: { recopy: 'copy', clean: 'clean' },
  clean: { cleaned: 'done' },
  done: {},
};

test.each(PHASES)('in %s each event leads where SPEC.md says, and any other is a bug', (phase) => {
  for (const event of EVENTS) {
    if (event === 'noted') continue;
    const record = move({ phase });
    const wanted = TABLE[phase][event];
    const next = accepts(record, event) ? nextMove(record, event, LATER).phase : undefined;
    expect([event, next]).toEqual([event, wanted]);
    const refuses = () => nextMove(record, event, LATER);
    expect(accepts(record, event) || threw(refuses)).toBe(true);
  }
});

const threw = (work: () => unknown): boolean => {
  try {
    work();
    return false;
  } catch {
    return true;
  }
};

test('what is known may be noted wherever nobody waits, and changes no phase', () => {
  const noting = PHASES.filter((phase) => accepts({ phase }, 'noted'));
  expect(noting).toEqual(['queued', 'copy', 'follow', 'turn', 'parted', 'clean']);
  for (const phase of noting) {
    const compared = phase === 'queued' || phase === 'copy' || phase === 'follow';
    const before = move(compared ? { phase } : { phase, verification: null });
    const noted = nextMove(before, 'noted', LATER, { paused: true });
    expect(noted).toEqual({ ...before, paused: true, updatedAt: LATER });
  }
});

test('what is lost after a flip is not copied anew by itself', () => {
  expect(nextMove(move({ owner: 'c2' }), 'lost', LATER).phase).toBe('parted');
  expect(nextMove(move({ owner: 'c1' }), 'lost', LATER)).toMatchObject({ phase: 'copy', attempt: 2 });
  // Nor before the owner that it came back to has said that it holds it.
  expect(nextMove(move({ phase: 'turn', owner: 'c1' }), 'lost', LATER).phase).toBe('parted');
});

/** As a coordinator makes them: a flip changes the owner, a seal has an id. */
const patchOf = (record: MoveRecord, event: MoveEvent) => {
  if (event === 'flip') return { owner: otherOf(record) };
  return event === 'cutover' ? { seal: { id: 's', at: AT, budgetMs: 1 } } : {};
};

/** Every record on the way of a stream that takes, of these events, what it accepts. */
function wayOf(events: readonly MoveEvent[]): readonly MoveRecord[] {
  let record = move({ phase: 'queued', attempt: 0, terms: null, verification: null });
  const way = [record];
  for (const event of events) {
    if (!accepts(record, event)) continue;
    const noted = event === 'ready' ? { verification: move().verification } : {};
    record = nextMove(record, event, LATER, { ...patchOf(record, event), ...noted });
    way.push(record);
  }
  return way;
}

const ways = array(constantFrom(...EVENTS), { maxLength: 60 }).map(wayOf);
const steps = (way: readonly MoveRecord[]) =>
  way.slice(1).map((after, index): readonly [MoveRecord, MoveRecord] => [way[index] ?? after, after]);

type Claim = (before: MoveRecord, after: MoveRecord) => boolean;

const CLAIMS: readonly [string, Claim][] = [
  [
    'the owner changes only from a seal to a turn, and the leg with it (M1)',
    (before, after) => {
      const flips = before.phase === 'seal' && after.phase === 'turn';
      return (before.owner !== after.owner) === flips && after.leg === before.leg + (flips ? 1 : 0);
    },
  ],
  [
    'an attempt never falls, and rises with each new copy',
    (before, after) => {
      const copies = after.phase === 'copy' && (before.phase !== 'copy' || after.attempt !== before.attempt);
      return after.attempt === before.attempt + (copies ? 1 : 0);
    },
  ],
  [
    'a stream is sealed exactly while it is in `seal`',
    (_, after) => (after.seal !== null) === (after.phase === 'seal'),
  ],
  [
    'no verification outlives the leg that was compared (M8)',
    (before, after) =>
      (after.leg === before.leg && after.attempt === before.attempt) || after.verification === null,
  ],
];

describe('over any events', () => {
  test.each(CLAIMS)('%s', (_claim, holds) => {
    const held = (way: readonly MoveRecord[]) => steps(way).every(([before, after]) => holds(before, after));
    expect(() => assert(property(ways, held))).not.toThrow();
  });

  test('from anywhere but a seal a stream can be cleaned, and from a seal within two events', () => {
    const cleanable = PHASES.filter((phase) => accepts({ phase }, 'clean'));
    expect(cleanable).toEqual(['queued', 'copy', 'follow', 'turn', 'parted']);
    expect(nextMove(move({ phase: 'seal' }), 'back-out', LATER).phase).toBe('follow');
    expect(nextMove(move({ phase: 'seal' }), 'flip', LATER).phase).toBe('turn');
  });
});

const verdicts = (owner: string, goal: MoveGoalKind) =>
  Object.fromEntries(PHASES.map((phase) => [phase, goalVerdict({ owner, from: 'c1', phase }, goal)]));

describe('what a goal makes of a stream', () => {
  test('a cutover hands over only what follows, and is so once `to` owns it', () => {
    expect(verdicts('c1', 'cutover')).toMatchObject({ copy: 'early', follow: 'cutover', seal: 'wait' });
    expect(verdicts('c2', 'cutover')).toMatchObject({ follow: 'so', parted: 'so', turn: 'wait' });
  });

  test('a reverse copies first what was parted', () => {
    expect(verdicts('c2', 'reverse')).toMatchObject({
      parted: 'recopy',
      copy: 'wait',
      follow: 'verify-cutover',
    });
    expect(verdicts('c1', 'reverse')).toMatchObject({ follow: 'so', parted: 'so' });
  });

  test('a cancel is refused wherever `to` owns the shards, and nothing else is cleaned in a seal or a turn', () => {
    for (const phase of ['queued', 'copy', 'follow', 'turn', 'parted'] as const)
      expect(goalVerdict({ owner: 'c2', from: 'c1', phase }, 'cancel')).toBe('decided');
    for (const owner of ['c1', 'c2'])
      for (const goal of GOALS)
        for (const phase of ['seal', 'turn'] as const)
          expect(goalVerdict({ owner, from: 'c1', phase }, goal)).not.toBe('clean');
  });

  test('a goal never asks for a transition that its phase does not accept', () => {
    for (const owner of ['c1', 'c2'])
      for (const goal of GOALS)
        for (const phase of PHASES) {
          const verdict = goalVerdict({ owner, from: 'c1', phase }, goal);
          const event = verdict === 'verify-cutover' ? 'cutover' : verdict;
          const asks = EVENTS.includes(event as MoveEvent);
          expect([goal, phase, !asks || accepts({ phase }, event as MoveEvent)]).toEqual([goal, phase, true]);
        }
  });
});

test('an operation that is given up or completed ends, and any other goal leaves it standing', () => {
  for (const goal of GOALS) {
    const next = REBALANCE.advance(goal, 'completed');
    const wanted = { complete: 'done', cancel: 'aborted' }[goal as string] ?? 'standing';
    expect([goal, next]).toEqual([goal, wanted]);
    expect(REBALANCE.advance(goal, 'differs')).toBe('standing');
    expect(REBALANCE.advance(goal, 'resumed')).toBe(goal);
  }
});
