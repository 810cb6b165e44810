import { describe, expect, test } from 'vitest';
import { judgeSeal } from '../../../src/controlplane/rebalance/judge-seal.ts';
import { type NextStep, nextStep, type StepInputs } from '../../../src/controlplane/rebalance/next-step.ts';
import type { StreamView } from '../../../src/controlplane/rebalance/stream-view.ts';
import type { MoveGoalKind, MoveRecord } from '../../../src/domain/move-records.ts';
import { clusterOf, clusterWith, contract, move, NOW_MS, viewOf } from '../../support/move-views.ts';
import { DIFFERENCE } from '../../support/scripted-sides.ts';

const step = (view: StreamView, goal: MoveGoalKind | null, over: Partial<StepInputs> = {}): NextStep =>
  nextStep({
    view,
    goal: goal === null ? null : { kind: goal, askedAtMs: NOW_MS },
    contract,
    verifyMaxAgeMs: 600_000,
    compared: false,
    copies: new Map(),
    concurrentCopiesMax: 2,
    nowMs: NOW_MS,
    ...over,
  });

const inPhase = (phase: MoveRecord['phase'], over: Partial<MoveRecord> = {}) => move({ phase, ...over });
const ago = (ms: number) => new Date(NOW_MS - ms).toISOString();
const verifiedAt = (at: string) => ({ positions: {}, rows: '1', laterRows: '0', at });

describe('whatever is asked for', () => {
  test.each(['c1', 'c2'])('a term of %s that is not the leg’s loses the leg', (name) => {
    const term = { term: 4 };
    const over = name === 'c1' ? { owner: clusterOf('c1', term) } : { other: clusterOf('c2', term) };
    for (const phase of ['copy', 'follow', 'turn'] as const)
      expect(step(viewOf(inPhase(phase), over), null)).toMatchObject({
        kind: 'transition',
        event: 'lost',
        patch: { terms: { [name]: 4 } },
      });
    for (const phase of ['queued', 'parted'] as const)
      expect(step(viewOf(inPhase(phase), over), null)).toEqual({ kind: 'so' });
  });

  test('a slot that is gone loses the leg; the way back’s is only waited for', () => {
    expect(step(viewOf(move(), { ownerSays: { slot: 'lost' } }), null)).toMatchObject({ event: 'lost' });
    const wayBack = { wayBack: { slot: 'lost', waitingFor: null } } as const;
    expect(step(viewOf(move(), { otherSays: wayBack }), 'cutover')).toMatchObject({ kind: 'wait' });
  });

  test('a seal that is found is undone first, whatever else is so', () => {
    const seal = { id: 's', at: ago(0), budgetMs: 1_000 };
    const view = viewOf(inPhase('seal', { seal }), { owner: clusterOf('c1', { term: 4 }) });
    expect(step(view, 'cancel')).toEqual({ kind: 'unseal' });
  });

  test('a copy follows once every table is ready, it is near, and the way back stands', () => {
    expect(step(viewOf(inPhase('copy')), null)).toMatchObject({ event: 'ready' });
    const missing: Parameters<typeof viewOf>[1][] = [
      { ownerSays: null },
      { ownerSays: { slot: 'absent' } },
      { otherSays: null },
      { otherSays: { wiped: false } },
      { otherSays: { following: false } },
      { otherSays: { lagBytes: null } },
      { otherSays: { lagBytes: '999999999' } },
      { otherSays: { yielding: 'slow commits' } },
      { otherSays: { problem: 'disk full' } },
      { otherSays: { wayBack: { slot: 'absent', waitingFor: 'pid 7, for 3 m' } } },
    ];
    for (const lacks of missing)
      expect(step(viewOf(inPhase('copy'), lacks), 'copy')).toMatchObject({ kind: 'wait' });
  });

  test('a turn ends once the new owner has turned it and the old one follows', () => {
    const turning = inPhase('turn', { owner: 'c2', leg: 1 });
    expect(step(viewOf(turning, { ownerSays: { turned: true } }), null)).toMatchObject({ event: 'turned' });
    expect(step(viewOf(turning), 'complete')).toMatchObject({ kind: 'wait' });
    const deaf = { ownerSays: { turned: true }, otherSays: { following: false } };
    expect(step(viewOf(turning, deaf), 'cutover')).toMatchObject({ kind: 'wait' });
  });

  test('a stream ends only when both leaders say that nothing is left', () => {
    const clean = inPhase('clean');
    const both = { ownerSays: { clean: true }, otherSays: { clean: true } };
    expect(step(viewOf(clean, both), null)).toEqual({ kind: 'end' });
    expect(step(viewOf(clean, { ...both, otherSays: null }), 'cancel')).toMatchObject({ kind: 'wait' });
    const stale = { ...both, ownerSays: { clean: true, phase: 'follow' } } as const;
    expect(step(viewOf(clean, stale), 'cancel')).toMatchObject({ kind: 'wait' });
  });
});

describe('a copy', () => {
  const queued = inPhase('queued', { terms: null, attempt: 0 });

  test('begins under the terms of both clusters, within the cap of each', () => {
    expect(step(viewOf(queued), 'copy')).toMatchObject({
      event: 'begin',
      patch: { terms: { c1: 3, c2: 3 } },
    });
    for (const cluster of ['c1', 'c2'])
      expect(step(viewOf(queued), 'copy', { copies: new Map([[cluster, 2]]) })).toMatchObject({
        kind: 'wait',
      });
  });

  test('waits while a cluster is not open, not well, degraded, held, or its RPO gate is on', () => {
    const others = [
      clusterWith('c2', 'authority', { phase: 'fenced' }),
      clusterOf('c2', { lease: undefined }),
      clusterWith('c2', 'inSync', { degraded: true }),
      clusterOf('c2', { activeOperation: { value: 'failover-1', revision: '1' } }),
      clusterWith('c2', 'claim', { status: 'withdrawn' }),
    ];
    for (const other of others)
      expect(step(viewOf(queued, { other }), 'copy')).toMatchObject({ kind: 'wait' });
  });

  test('is so once its rows were compared and are equal', () => {
    expect(step(viewOf(move({ verification: null })), 'copy')).toEqual({ kind: 'verify' });
    expect(step(viewOf(move()), 'copy')).toEqual({ kind: 'so' });
    const differs = move({ differences: [DIFFERENCE] });
    expect(step(viewOf(differs), 'copy')).toMatchObject({
      kind: 'refused',
      refusal: { code: 'move_differs' },
    });
    const earlier = move({ differences: [DIFFERENCE], verification: verifiedAt(ago(5_000)) });
    expect(step(viewOf(earlier), 'copy')).toEqual({ kind: 'verify' });
  });
});

describe('what makes the other one drop its rows', () => {
  const away = inPhase('parted', { owner: 'c2', leg: 1 });

  test.each(['complete', 'reverse'] as const)(
    'after a flip waits until the new owner’s present leader has said that it holds them: %s',
    (goal) => {
      expect(step(viewOf(away), goal).kind).toBe('transition');
      expect(step(viewOf(away, { ownerSays: null }), goal)).toMatchObject({ kind: 'wait' });
      const withheld = { ownerSays: { problem: 'shard 0 is withheld' } };
      expect(step(viewOf(away, withheld), goal)).toMatchObject({ kind: 'wait' });
    },
  );

  test('needs nobody where the owner never changed', () => {
    expect(step(viewOf(move(), { ownerSays: null }), 'cancel')).toMatchObject({ event: 'clean' });
  });
});

const code = (record: MoveRecord, over: Parameters<typeof viewOf>[1] = {}) => {
  const found = step(viewOf(record, over), 'cutover');
  return found.kind === 'refused' ? found.refusal.code : found.kind;
};

describe('a cutover', () => {
  test('needs a clean verification younger than its limit (M8)', () => {
    expect(code(move())).toBe('cutover');
    expect(code(move({ verification: null }))).toBe('verification_missing');
    expect(code(move({ verification: verifiedAt(ago(600_000)) }))).toBe('cutover');
    expect(code(move({ verification: verifiedAt(ago(600_001)) }))).toBe('verification_stale');
    expect(code(move({ differences: [DIFFERENCE] }))).toBe('move_differs');
    expect(code(move({ paused: true }))).toBe('move_paused');
  });

  test('waits for what is not known as for what is not so', () => {
    const lacks: Parameters<typeof viewOf>[1][] = [
      { ownerSays: null },
      { otherSays: null },
      { otherSays: { lagBytes: null } },
      { otherSays: { lagBytes: '2000000' } },
      { otherSays: { following: false } },
      { otherSays: { yielding: 'x' } },
      { otherSays: { wayBack: { slot: 'absent', waitingFor: null } } },
    ];
    for (const over of lacks) expect(code(move(), over)).toBe('wait');
  });

  test('back again is verified first where it is not', () => {
    const away = move({ owner: 'c2', leg: 1, verification: null });
    expect(step(viewOf(away), 'reverse')).toEqual({ kind: 'verify' });
    expect(step(viewOf({ ...away, verification: verifiedAt(ago(0)) }), 'reverse')).toEqual({
      kind: 'cutover',
    });
    // A comparison that took longer than its own limit would be made for ever.
    const slow = viewOf({ ...away, verification: verifiedAt(ago(700_000)) });
    expect(step(slow, 'reverse')).toEqual({ kind: 'verify' });
    const compared = step(slow, 'reverse', { compared: true });
    expect(compared).toMatchObject({ refusal: { code: 'verification_stale' } });
    const gated = { owner: clusterOf('c2', { claim: undefined }) };
    expect(step(viewOf(away, gated), 'reverse')).toMatchObject({ refusal: { code: 'rpo_gate_on' } });
  });
});

describe('a seal', () => {
  const sealed = inPhase('seal', { seal: { id: 's', at: ago(0), budgetMs: 1_000 } });
  const positions = { '0': '7', '1': '9' };
  const there = {
    ownerSays: { sealed: { seal: 's', positions } },
    otherSays: { arrived: { seal: 's', positions, lsn: '0/1' } },
  };
  const judged = (over: Parameters<typeof viewOf>[1]) => judgeSeal(viewOf(sealed, over), 's').kind;

  test('is held when exactly the sealed positions have arrived (M2)', () => {
    expect(judgeSeal(viewOf(sealed, there), 's')).toMatchObject({ kind: 'held', positions, lsn: '0/1' });
    expect(judged({ ...there, otherSays: {} })).toBe('waiting');
    expect(judged({ ...there, ownerSays: {} })).toBe('waiting');
    expect(judged({ ...there, otherSays: { arrived: { seal: 'earlier', positions, lsn: '0/1' } } })).toBe(
      'waiting',
    );
    for (const other of [{ '0': '7' }, { '0': '7', '1': '8' }, { ...positions, '2': '1' }])
      expect(judged({ ...there, otherSays: { arrived: { seal: 's', positions: other, lsn: '0/1' } } })).toBe(
        'differs',
      );
  });

  test('is none under another term than the leg’s, or of a cluster that is not open (M5)', () => {
    expect(judged({ ...there, owner: clusterOf('c1', { term: 4 }) })).toBe('differs');
    expect(judged({ ...there, other: clusterWith('c2', 'authority', { phase: 'draining' }) })).toBe(
      'differs',
    );
  });
});
