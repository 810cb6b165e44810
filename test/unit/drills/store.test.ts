import { existsSync, mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DrillResult } from '../../../src/drills/result.ts';
import { DrillStore } from '../../../src/drills/store.ts';

let folder: string;
let store: DrillStore;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drill-store-'));
  store = new DrillStore({ CAPSTAN_STATE_DIR: folder });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const result = (id: string, drill: string, at: number): DrillResult => ({
  id,
  drill,
  promise: 'a promise',
  invariants: ['I4'],
  seed: 7,
  version: '0.0.0',
  sandbox: 'default',
  options: { faults: [], rounds: null, durationMs: 1, ratePerSecond: 1 },
  startedAt: new Date(at).toISOString(),
  tookMs: 1,
  scale: {
    operations: 1,
    leftOut: 0,
    confirmed: 1,
    rejected: 0,
    unknown: 0,
    shareRejected: 0,
    faultsInjected: 0,
    faultsFailed: 0,
  },
  verdict: {
    held: true,
    rules: [],
    violations: [],
    operations: 1,
    counts: [],
    spanMs: 1,
    missingLines: 0,
  },
  history: 'history.jsonl',
  excerpt: null,
});

async function save(id: string, drill: string, at: number): Promise<void> {
  await store.open(id);
  await store.save(result(id, drill, at));
}

test('a kept run is read back as it was', async () => {
  await save('races-1', 'races', 1_000);
  expect(await store.read('races-1')).toEqual(result('races-1', 'races', 1_000));
});

test('a run that was kept before faults could follow one another reads as one whose faults overlapped', async () => {
  const { options, ...rest } = result('races-1', 'races', 1_000);
  const { rounds, ...before } = options;
  await store.open('races-1');
  await store.save({ ...rest, options: before } as unknown as DrillResult);
  expect((await store.read('races-1')).options).toEqual({ ...before, rounds });
});

test('runs are listed with the latest first, and each drill has its latest', async () => {
  await save('races-1', 'races', 1_000);
  await save('races-2', 'races', 3_000);
  await save('clock-step-1', 'clock-step', 2_000);
  expect((await store.list()).map(({ id }) => id)).toEqual(['races-2', 'clock-step-1', 'races-1']);
  const latest = [...(await store.latestByDrill())].map(([drill, { id }]) => [drill, id]);
  expect(latest).toEqual([
    ['races', 'races-2'],
    ['clock-step', 'clock-step-1'],
  ]);
});

test('a run without a result, one of another name, and no store at all are no runs', async () => {
  expect(await store.list()).toEqual([]);
  await store.open('races-1');
  expect(await store.list()).toEqual([]);
  for (const id of ['races-1', 'races-9', '../races-1']) {
    await expect(store.read(id)).rejects.toMatchObject({ code: 'drill_run_not_found', exit: 4 });
  }
});

test('old runs are removed, but for the latest of each drill', async () => {
  await save('clock-step-1', 'clock-step', 1);
  for (let n = 1; n <= 102; n += 1) await save(`races-${n}`, 'races', 1_000 + n);
  const kept = (await store.list()).map(({ id }) => id);
  expect(kept).toContain('clock-step-1');
  expect(kept).toContain('races-102');
  expect(kept).not.toContain('races-1');
  expect(kept.length).toBeLessThanOrEqual(101);
  expect(existsSync(join(store.folder, 'races-1'))).toBe(false);
});

test('a run that was ended before its verdict is kept for a day', async () => {
  await store.open('races-1');
  await store.open('races-2');
  const longAgo = new Date(Date.now() - 2 * 86_400_000);
  utimesSync(join(store.folder, 'races-1'), longAgo, longAgo);
  await save('races-3', 'races', 1_000);
  expect(['races-1', 'races-2', 'races-3'].map((id) => existsSync(join(store.folder, id)))).toEqual([
    false,
    true,
    true,
  ]);
});
