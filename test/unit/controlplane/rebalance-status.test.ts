import { expect, test } from 'vitest';
import { answersOf, failureOf } from '../../../src/controlplane/rebalance/answers.ts';
import { clusterOfPlan } from '../../../src/controlplane/rebalance/begin.ts';
import { chosenStreams } from '../../../src/controlplane/rebalance/choose.ts';
import type { StreamResult } from '../../../src/controlplane/rebalance/context.ts';
import type { RebalancePlan } from '../../../src/controlplane/rebalance/plan-types.ts';
import { rebalanceStatus } from '../../../src/controlplane/rebalance/status.ts';
import type { StreamView } from '../../../src/controlplane/rebalance/stream-view.ts';
import type { MoveGoal } from '../../../src/domain/move-records.ts';
import type { OperationRecord } from '../../../src/domain/operation-records.ts';
import { AT, contract, move, NOW_MS, viewOf } from '../../support/move-views.ts';

const planned = (stream: number, shards: readonly number[], from = 'c1') => ({
  stream,
  from,
  to: 'c2',
  shards,
  rows: '100',
  bytes: '10000',
  decisionsPerSecond: 1,
});

const plan: RebalancePlan = {
  kind: 'named',
  mapVersion: 1,
  streams: [planned(0, [0, 1]), planned(1, [2], 'c3'), planned(2, [3])],
  clusters: {},
  options: { concurrentCopiesMax: 2, pauseBudgetMs: 1_000, verifyMaxAgeMs: 600_000 },
  reasons: [],
  refusals: [],
  hash: 'h',
};

const goal: MoveGoal = { kind: 'cutover', streams: [0, 1], pauseBudgetMs: null, askedBy: 'x', askedAt: AT };

const operation: OperationRecord = {
  id: 'rebalance-1',
  kind: 'rebalance',
  cluster: 'c1',
  status: 'running',
  phase: 'standing',
  actor: 'x',
  reason: 'y',
  planHash: 'h',
  plan: { ...plan },
  approvals: [],
  coordinator: { id: 'me', since: AT },
  steps: [],
  error: null,
  createdAt: AT,
  updatedAt: AT,
};

const statusOf = (view: StreamView, over: Partial<OperationRecord> = {}) => {
  const status = rebalanceStatus({
    operation: { ...operation, ...over },
    streams: new Map([[0, view]]),
    contract,
    nowMs: NOW_MS + 10_000,
  });
  const [stream] = status.streams;
  if (stream === undefined) throw new Error('no stream');
  return { status, stream };
};

test('a copy says how far it is, how fast, and when it ends', () => {
  const copying = { following: false, tables: { total: 3, ready: 1 }, bytesCopied: '4000' };
  const { stream, status } = statusOf(viewOf(move({ phase: 'copy' }), { otherSays: copying }), {
    phase: 'copy',
    goal: { ...goal, kind: 'copy' },
  });
  expect(stream).toMatchObject({
    tables: { total: 3, ready: 1 },
    bytesCopied: '4000',
    bytesPlanned: '10000',
    bytesPerSecond: 400,
    etaMs: 15_000,
    wal: { retainedBytes: '1000', bytesPerSecond: 50, fullInMs: 10_000_000 },
    waitsFor: 'the copy: 1 of 3 tables, 10 rows',
    next: null,
  });
  expect(status.planned.map((one) => one.stream)).toEqual([1, 2]);
  expect(status.next).toContain('operation resume');
});

test('what nobody has said is null and never zero', () => {
  const { stream } = statusOf(viewOf(move({ phase: 'copy' }), { ownerSays: null, otherSays: null }));
  expect(stream).toMatchObject({
    tables: null,
    bytesCopied: null,
    bytesPerSecond: null,
    etaMs: null,
    lagBytes: null,
    wal: { retainedBytes: null, bytesPerSecond: null, fullInMs: null },
  });
});

test.each([
  ['a verified stream may be cut over', move(), 'capstan rebalance cutover'],
  ['one that is not is verified', move({ verification: null }), 'capstan rebalance verify'],
  ['one that was handed over is completed', move({ owner: 'c2', leg: 1 }), 'capstan rebalance complete'],
  ['a paused one is let go', move({ paused: true }), 'capstan rebalance unpause'],
  ['one that was lost is copied on', move({ phase: 'copy' }), 'capstan operation resume'],
])('%s: status names the command', (_what, record, command) => {
  expect(statusOf(viewOf(record)).status.next).toContain(command);
});

const failed: StreamResult = {
  result: 'backed-out',
  code: 'cutover_backed_out',
  message: 'nothing arrived',
  next: null,
  pauseMs: 300,
};

const failure = (results: Record<number, StreamResult>, kind: MoveGoal['kind'] = 'cutover') => {
  const entries = Object.entries(results).map(([stream, result]) => [Number(stream), result] as const);
  const asked = { ...goal, kind };
  const about = { streams: new Map([[0, move()]]), outcomes: [], results: new Map(entries) };
  const error = failureOf(operation, asked, answersOf(asked, about));
  return error === undefined ? undefined : [error.code, error.exit];
};

test('a goal fails as a whole, in part, or not at all', () => {
  expect(failure({})).toBeUndefined();
  expect(failure({ 0: failed })).toEqual(['rebalance_partial', 6]);
  expect(failure({ 0: failed, 1: failed })).toEqual(['cutover_backed_out', 4]);
  const refused: StreamResult = { ...failed, result: 'refused', code: 'rpo_gate_on', pauseMs: null };
  expect(failure({ 0: refused, 1: refused })).toEqual(['rpo_gate_on', 4]);
  const differs: StreamResult = { ...failed, result: 'differs', code: 'move_differs' };
  expect(failure({ 0: differs, 1: differs }, 'verify')).toEqual(['move_differs', 3]);
});

test('an operation is listed where most of its shards come from', () => {
  expect(clusterOfPlan(plan)).toBe('c1');
  expect(clusterOfPlan({ ...plan, streams: [planned(0, [1], 'c9'), planned(1, [2], 'c3')] })).toBe('c3');
});

const choose = (shards: readonly number[] | undefined) =>
  chosenStreams({ id: 'r', plan, outcomes: [], shards });

test('the shards of a stream are chosen together, and only those that are moved', () => {
  expect(choose(undefined)).toEqual([0, 1, 2]);
  expect(choose([3, 2])).toEqual([1, 2]);
  expect(() => choose([0])).toThrow(expect.objectContaining({ code: 'shards_move_together' }));
  expect(() => choose([42])).toThrow(expect.objectContaining({ code: 'shard_not_moving' }));
});
