import { describe, expect, it } from 'vitest';
import {
  finishStep,
  newCoordinatorId,
  newOperation,
  newOperationId,
  stepResult,
  takenOver,
} from '../../../src/controlplane/operation/record.ts';
import { canonicalHash, canonicalJson } from '../../../src/domain/canonical-json.ts';
import { parseLsn } from '../../../src/domain/lsn.ts';

const at = (seconds: number) => new Date(Date.UTC(2026, 10, 22, 20, 59, seconds));

const begun = () =>
  newOperation({
    id: 'failover-1',
    kind: 'failover',
    cluster: 'c1',
    phase: 'fence',
    actor: 'ada@host',
    reason: 'leader lost',
    planHash: 'abc',
    plan: {},
    approvals: [],
    coordinatorId: 'one',
    now: at(0),
  });

describe('an operation record', () => {
  it('has a name that sorts by time and can be read out', () => {
    expect(newOperationId('failover', at(16))).toMatch(/^failover-20261122t205916-[0-9a-f]{4}$/);
  });

  it('tells two runs of one process apart', () => {
    expect(newCoordinatorId()).not.toBe(newCoordinatorId());
  });

  it('ends the step under way with its result and begins the next', () => {
    const record = finishStep({
      record: begun(),
      result: { term: 4 },
      phase: 'freeze',
      status: 'running',
      now: at(1),
    });
    expect(record.steps).toEqual([
      { name: 'fence', startedAt: at(0).toISOString(), finishedAt: at(1).toISOString(), result: { term: 4 } },
      { name: 'freeze', startedAt: at(1).toISOString(), finishedAt: null, result: null },
    ]);
    expect(stepResult(record, 'fence')).toEqual({ term: 4 });
    expect(stepResult(record, 'freeze')).toBeUndefined();
  });

  it('begins no step once it has ended', () => {
    const done = finishStep({ record: begun(), result: {}, phase: 'done', status: 'done', now: at(2) });
    expect(done).toMatchObject({ status: 'done', phase: 'done' });
    expect(done.steps.every(({ finishedAt }) => finishedAt !== null)).toBe(true);
  });

  it('keeps the step under way when it is taken over, and begins one when none is', () => {
    const other = { coordinatorId: 'two', now: at(3) };
    const taken = takenOver({ record: begun(), phase: 'fence', ...other });
    expect(taken).toMatchObject({ coordinator: { id: 'two' }, steps: [{ name: 'fence', finishedAt: null }] });
    const failed = finishStep({ record: begun(), result: {}, phase: 'failed', status: 'failed', now: at(2) });
    expect(takenOver({ record: failed, phase: 'verify', ...other })).toMatchObject({
      status: 'running',
      phase: 'verify',
      steps: [{ name: 'fence' }, { name: 'verify', finishedAt: null }],
    });
  });
});

describe('an LSN', () => {
  it('is compared as a number', () => {
    expect(parseLsn('0/10000000')).toBeGreaterThan(parseLsn('0/9000000') ?? 0n);
    expect(parseLsn('1/0')).toBe(2n ** 32n);
    expect(parseLsn('FFFFFFFF/FFFFFFFF')).toBe(2n ** 64n - 1n);
  });

  it.each(['', '0', '0/', '/0', '0/123456789', 'g/0', ' 0/0'])('is not %j', (text) => {
    expect(parseLsn(text)).toBeUndefined();
  });
});

describe('canonical JSON', () => {
  it('does not depend on the order of keys, and does on that of elements', () => {
    expect(canonicalJson({ b: [{ d: 1, c: undefined }], a: null })).toBe('{"a":null,"b":[{"d":1}]}');
    expect(canonicalHash({ a: 1, b: 2 })).toBe(canonicalHash({ b: 2, a: 1 }));
    expect(canonicalHash([1, 2])).not.toBe(canonicalHash([2, 1]));
    expect(canonicalHash({}, 12)).toHaveLength(12);
  });
});
