import { expect, test } from 'vitest';
import { orphansOf } from '../../../src/controlplane/rebalance/sweep.ts';
import type { MoveRecord } from '../../../src/domain/move-records.ts';
import { versioned } from '../../support/rebalance-inputs.ts';

const record: MoveRecord = {
  operation: 'rebalance-20261130t164012-7228',
  stream: 1,
  shards: [7],
  from: 'c1',
  to: 'c2',
  owner: 'c1',
  phase: 'follow',
  attempt: 1,
  leg: 0,
  terms: { c1: 1, c2: 1 },
  paused: false,
  cursor: null,
  verification: null,
  differences: [],
  seal: null,
  handover: null,
  error: null,
  since: '',
  updatedAt: '',
};

const entry = (shard: number, cluster: string) =>
  versioned({ shard, cluster, generation: 1, state: 'serving' as const, mapVersion: 1 });

const estate = (phase: MoveRecord['phase']) => ({
  moves: new Map([['m', versioned({ ...record, phase })]]),
  shards: new Map([
    [5, entry(5, 'c2')],
    [6, entry(6, 'c1')],
    [7, entry(7, 'c1')],
  ]),
});

const found = {
  subscriptions: ['capstan_20261130t1640127228_1_a1_l0_t1', 'capstan_20261130t1640127228_11_a1_l0_t1'],
  slots: [],
  publications: ['capstan_old_1_a1_l0_t1'],
  shards: [5, 6, 7],
};

test('what a live stream wants, and what the map gives, is no orphan; another stream’s number is', () => {
  expect(orphansOf(found, estate('follow'), 'c2')).toEqual({
    subscriptions: ['capstan_20261130t1640127228_11_a1_l0_t1'],
    slots: [],
    publications: ['capstan_old_1_a1_l0_t1'],
    shards: [6],
  });
});

test('a stream that is done wants nothing', () => {
  expect(orphansOf(found, estate('done'), 'c2').subscriptions).toEqual(found.subscriptions);
  expect(orphansOf(found, estate('done'), 'c2').shards).toEqual([6, 7]);
});
