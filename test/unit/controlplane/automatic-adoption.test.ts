import { expect, test } from 'vitest';
import { judgeAdoption } from '../../../src/controlplane/automatic/adoption.ts';
import type { OperationRecord } from '../../../src/domain/operation-records.ts';

const held = (status: OperationRecord['status'], code: string | null = null) => ({
  revision: '100',
  value: {
    id: 'f1',
    status,
    error: code === null ? null : { code, message: code },
  } as unknown as OperationRecord,
});

test.each([null, 'operation_interrupted', 'freeze_incomplete', 'promotion_overdue', 'settle_overdue'])(
  'a running operation that stopped with %s is adopted: its cluster is down until somebody goes on',
  (code) => {
    expect(judgeAdoption(held('running', code), undefined)).toEqual({ kind: 'adoptable' });
  },
);

test.each(['target_behind', 'target_not_frozen', 'in_sync_changed', 'loss_exceeds_plan'])(
  'one that stopped with %s asks for another plan, which only a person approves',
  (code) => {
    expect(judgeAdoption(held('running', code), undefined)).toMatchObject({
      kind: 'left',
      why: expect.stringContaining(code) as string,
    });
  },
);

test('a failed one is verified again only once its promotion report was written anew', () => {
  const failed = held('failed', 'prefix_differs');
  expect(judgeAdoption(failed, undefined)).toMatchObject({ kind: 'left' });
  expect(judgeAdoption(failed, '99')).toMatchObject({ kind: 'left' });
  expect(judgeAdoption(failed, '101')).toEqual({ kind: 'adoptable' });
  // Revisions are counted, not spelled: 1000 comes after 999.
  expect(judgeAdoption({ ...failed, revision: '999' }, '1000')).toEqual({ kind: 'adoptable' });
});

test.each(['done', 'aborted'] as const)('one that is %s is left alone', (status) => {
  expect(judgeAdoption(held(status), '101')).toEqual({ kind: 'finished' });
});

test('a rebalance is left to a person: its agents keep it up, and a cutover makes callers wait', () => {
  const { revision, value } = held('running', 'operation_interrupted');
  const rebalance = { revision, value: { ...value, kind: 'rebalance' as const } };
  expect(judgeAdoption(rebalance, undefined)).toMatchObject({ kind: 'left' });
  const done = { ...rebalance, value: { ...rebalance.value, status: 'done' as const } };
  expect(judgeAdoption(done, undefined)).toEqual({ kind: 'finished' });
});
