import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FAILOVER, machineOf, REGIONAL_FAILOVER } from '../../../src/controlplane/failover/phases.ts';
import type { OperationEvent } from '../../../src/controlplane/operation/machine.ts';

type Phase = keyof typeof FAILOVER.transitions;

const PHASES = Object.keys(FAILOVER.transitions) as Phase[];
const EVENTS = Object.keys(FAILOVER.transitions.fence) as OperationEvent[];

/** What etcd holds beside the phase, moved by the same transaction. */
interface World {
  readonly phase: Phase;
  readonly term: number;
  readonly authority: 'open' | 'fenced' | 'promoting';
  readonly leaders: number;
}

const START: World = { phase: 'fence', term: 5, authority: 'open', leaders: 1 };

function step(world: World, event: OperationEvent): World {
  if (!FAILOVER.accepts(world.phase, event)) return world;
  const phase = FAILOVER.advance(world.phase, event);
  if (event === 'completed' && world.phase === 'fence')
    return { phase, term: world.term + 1, authority: 'fenced', leaders: 0 };
  if (event === 'completed' && world.phase === 'decide') return { ...world, phase, authority: 'promoting' };
  if (event === 'completed' && world.phase === 'open')
    return { ...world, phase, authority: 'open', leaders: 1 };
  if (event === 'aborted') return { phase, term: world.term + 1, authority: 'open', leaders: 1 };
  return { ...world, phase };
}

function termsUsed(phase: Phase): number {
  if (phase === 'fence') return 0;
  return phase === 'aborted' ? 2 : 1;
}

describe('the failover transition table', () => {
  it('goes from fence to done by completing each step once', () => {
    expect(FAILOVER.stepsLeft('fence')).toEqual([
      'fence',
      'freeze',
      'proof',
      'decide',
      'promote',
      'verify',
      'open',
      'settle',
    ]);
  });

  it('can be aborted before the decision and never after it', () => {
    const abortable = PHASES.filter((phase) => FAILOVER.accepts(phase, 'aborted'));
    expect(abortable).toEqual(['freeze', 'proof', 'decide']);
    expect(PHASES.filter((phase) => FAILOVER.isDecided(phase))).toEqual([
      'promote',
      'verify',
      'open',
      'settle',
      'failed',
    ]);
  });

  it('resumes every unfinished phase, and no finished one', () => {
    for (const phase of PHASES) {
      const unfinished = phase !== 'fence' && !FAILOVER.isFinal(phase);
      expect([phase, FAILOVER.accepts(phase, 'resumed')]).toEqual([phase, unfinished]);
    }
  });

  it('reaches done or aborted from anywhere, whenever its coordinator is killed', () => {
    for (const killedIn of PHASES.filter((phase) => FAILOVER.accepts(phase, 'resumed'))) {
      const resumed = FAILOVER.advance(killedIn, 'resumed');
      expect(FAILOVER.stepsLeft(resumed).at(-1)).toBe('settle');
    }
  });

  it('never undoes a decision, lowers a term, or opens a second leader, in any order of events', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...EVENTS), { maxLength: 60 }), (events) => {
        let world = START;
        for (const event of events) {
          const next = step(world, event);
          expect(next.term).toBeGreaterThanOrEqual(world.term);
          expect(next.leaders).toBe(next.authority === 'open' ? 1 : 0);
          expect(FAILOVER.isDecided(next.phase) || next.phase === 'done').toBe(
            FAILOVER.isDecided(world.phase) || FAILOVER.isDecided(next.phase) || world.phase === 'done',
          );
          expect(next.term).toBe(START.term + termsUsed(next.phase));
          world = next;
        }
      }),
    );
  });

  it('opens only after verification', () => {
    const before = PHASES.filter((phase) =>
      EVENTS.some((event) => FAILOVER.transitions[phase][event] === 'open' && event !== 'resumed'),
    );
    expect(before).toEqual(['verify']);
  });

  it('counts as running until it is done, aborted or failed', () => {
    expect(PHASES.filter((phase) => FAILOVER.statusOf(phase) !== 'running')).toEqual([
      'done',
      'aborted',
      'failed',
    ]);
  });

  it('refuses an event that the table lacks, and a phase that it does not know', () => {
    expect(() => FAILOVER.advance('promote', 'aborted')).toThrow(/can't take/);
    expect(FAILOVER.parse('toString')).toBeUndefined();
    expect(FAILOVER.parse('settle')).toBe('settle');
  });
});

describe('the table of a failover to another region', () => {
  it('proves before it freezes, and is one of the same phases', () => {
    expect(REGIONAL_FAILOVER.stepsLeft('fence')).toEqual([
      'fence',
      'proof',
      'freeze',
      'decide',
      'promote',
      'verify',
      'open',
      'settle',
    ]);
    expect(Object.keys(REGIONAL_FAILOVER.transitions).toSorted()).toEqual(PHASES.toSorted());
  });

  it('sends a decision whose reports changed back to the freeze, and never behind its proof', () => {
    expect(REGIONAL_FAILOVER.advance('decide', 'differs')).toBe('freeze');
    expect(REGIONAL_FAILOVER.accepts('freeze', 'differs')).toBe(false);
  });

  it('can be aborted before the decision and never after it, and resumes where it was', () => {
    const abortable = PHASES.filter((phase) => REGIONAL_FAILOVER.accepts(phase, 'aborted'));
    expect(abortable.toSorted()).toEqual(['decide', 'freeze', 'proof']);
    for (const phase of PHASES)
      expect(REGIONAL_FAILOVER.accepts(phase, 'resumed')).toBe(FAILOVER.accepts(phase, 'resumed'));
  });

  it('is chosen by the recorded plan; one without a path is of before there was a choice', () => {
    expect(machineOf({ plan: { path: 'regional' } })).toBe(REGIONAL_FAILOVER);
    expect(machineOf({ plan: { path: 'in-region' } })).toBe(FAILOVER);
    expect(machineOf({ plan: {} })).toBe(FAILOVER);
  });
});
