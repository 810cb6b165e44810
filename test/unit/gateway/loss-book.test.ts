import { describe, expect, test } from 'vitest';
import { emptyClusterView } from '../../../src/controlplane/cluster-view.ts';
import { EMPTY_ESTATE_VIEW } from '../../../src/controlplane/estate-snapshot.ts';
import type { LossRecord, LostDecision } from '../../../src/domain/loss-records.ts';
import { LossBook } from '../../../src/gateway/loss-book.ts';
import { commandOf } from '../../../src/gateway/loss-replay.ts';
import { lossRecord, lostDecision } from '../../support/losses.ts';

const TOKEN = { issuer: 'MUNI-9', token: 'tok-1' };
const signedOff = (change: Partial<LossRecord> = {}) =>
  lossRecord({ status: 'signed-off', lost: 1, ...change });

function bookOf(
  records: readonly LossRecord[],
  reports: Readonly<Record<string, readonly LostDecision[]>> = {},
) {
  const losses = new Map(records.map((value) => [value.operation, { value, revision: '1' }]));
  const clusters = new Map([['c1', { ...emptyClusterView('c1'), losses }]]);
  const asked: string[] = [];
  const book = new LossBook({
    source: { current: () => ({ ...EMPTY_ESTATE_VIEW, clusters }), onChange: () => () => undefined },
    readReport: (operation) => {
      asked.push(operation);
      const report = reports[operation];
      return report === undefined ? Promise.reject(new Error('no etcd')) : Promise.resolve(report);
    },
  });
  return { book, asked };
}

describe('an absent token', () => {
  test('is unknown while a loss of its shard is open, and names the failover', async () => {
    const { book } = bookOf([lossRecord()]);
    expect(await book.standing(1, TOKEN)).toMatchObject({
      kind: 'unknown',
      operation: 'failover-1',
      mayEnd: true,
    });
    expect(await book.standing(2, TOKEN)).toEqual({ kind: 'none' });
    expect([book.concerns(1), book.concerns(2)]).toEqual([true, false]);
  });

  test('is lost when the signed-off report names it under its issuer, else it is absent', async () => {
    const entry = lostDecision();
    const { book, asked } = bookOf([signedOff()], { 'failover-1': [entry] });
    expect(await book.standing(1, TOKEN)).toEqual({ kind: 'lost', operation: 'failover-1', entry });
    expect(await book.standing(1, { ...TOKEN, issuer: 'MUNI-8' })).toEqual({ kind: 'none' });
    expect(await book.standingAnywhere('tok-1')).toEqual({ kind: 'lost', operation: 'failover-1', entry });
    expect(await book.standingAnywhere('tok-2')).toEqual({ kind: 'none' });
    expect(asked).toEqual(['failover-1']);
  });

  test('stays unknown where a member was waived, and can be settled', async () => {
    const waived = {
      state: 'waived',
      incarnation: null,
      found: null,
      waived: { by: '', reason: '', at: '' },
    } as const;
    const { book } = bookOf([signedOff({ members: { a: waived } })], { 'failover-1': [] });
    expect(await book.standing(1, TOKEN)).toMatchObject({ kind: 'unknown', mayEnd: false });
  });

  test('is unknown while the report cannot be read, and asked for again', async () => {
    const { book, asked } = bookOf([signedOff()]);
    expect(await book.standing(1, TOKEN)).toMatchObject({ kind: 'unknown', mayEnd: true });
    expect(await book.lostBefore(1, TOKEN)).toBe('unread');
    expect(asked.length).toBeGreaterThan(1);
  });
});

test('a new decision under a lost token is told from any other', async () => {
  const { book } = bookOf([signedOff()], { 'failover-1': [lostDecision()] });
  expect(await book.lostBefore(1, TOKEN)).toMatchObject({ operation: 'failover-1' });
  expect(await book.lostBefore(1, { ...TOKEN, token: 'tok-2' })).toBeUndefined();
});

test('a lost decision is sent again as it was sent, bound to the same content', () => {
  const hash = 'ab'.repeat(32);
  const bound = { issuer: 'MUNI-9', token: 'tok-1', desk: 'desk-1' };
  expect(commandOf(lostDecision())).toEqual({
    kind: 'reserve',
    ...bound,
    hash,
    reservation: 'R-1',
    notional: '100',
  });
  expect(commandOf(lostDecision({ command: 'correct', reason: 'typo' }))).toEqual({
    kind: 'correct',
    ...bound,
    hash,
    limit: '100',
    reason: 'typo',
  });
  expect(commandOf(lostDecision({ command: 'settle', hash: null }))).toEqual({ kind: 'settle', ...bound });
  expect(commandOf(lostDecision({ hash: null }))).toBeUndefined();
});
