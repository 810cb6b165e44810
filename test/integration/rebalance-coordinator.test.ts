import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { listAudit } from '../../src/controlplane/audit.ts';
import type { DriveRebalanceOptions } from '../../src/controlplane/rebalance/drive-rebalance.ts';
import { driveRebalance } from '../../src/controlplane/rebalance/drive-rebalance.ts';
import { type RunRebalanceOptions, runRebalance } from '../../src/controlplane/rebalance/run.ts';
import type { MoveGoalKind } from '../../src/domain/move-records.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { onlyOperation } from '../support/coordinators.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { planFor } from '../support/rebalance-plans.ts';
import { type MoverScript, ScriptedMovers } from '../support/scripted-movers.ts';
import { type ScriptedSides, scriptedSides } from '../support/scripted-sides.ts';

let server: TestEtcd;
let etcd: EtcdPort;
let movers: ScriptedMovers;
let sides: ScriptedSides;

beforeAll(async () => {
  server = await startEtcd();
  etcd = await server.open();
});
afterAll(async () => {
  etcd.close();
  await server.stop();
});
afterEach(() => movers.stop());

async function prepare(
  scripts: Record<string, MoverScript> = {},
  seed: Parameters<ScriptedMovers['seed']>[0] = {},
): Promise<void> {
  movers = new ScriptedMovers(etcd);
  Object.assign(movers.scripts, scripts);
  sides = scriptedSides(movers);
  await movers.seed(seed);
  await movers.start();
}

const start = async (options: Partial<RunRebalanceOptions> = {}) =>
  runRebalance({
    etcd,
    keys: movers.keys,
    actor: 'test',
    sides: () => Promise.resolve(sides),
    plan: options.plan ?? (await planFor(movers)),
    ...options,
  });

const drive = async (goal: MoveGoalKind, options: Partial<DriveRebalanceOptions> = {}) =>
  driveRebalance({
    etcd,
    keys: movers.keys,
    actor: 'test',
    sides: () => Promise.resolve(sides),
    id: (await onlyOperation(etcd, movers.keys))?.id ?? '',
    goal,
    ...options,
  });

const owners = async () => [...(await movers.estate()).shards.values()].map(({ value }) => value.cluster);
const actions = async () =>
  (await listAudit(etcd, movers.keys, { limit: 1_000 })).map(({ action }) => action);

describe('a rebalance', () => {
  it('goes there and back again, and is completed', async () => {
    await prepare();
    const started = await start();
    expect(started.operation).toMatchObject({ phase: 'standing', cluster: 'c1', error: null });
    expect(await movers.streams()).toMatchObject([
      { phase: 'follow', owner: 'c1', attempt: 1, leg: 0, terms: { c1: 3, c2: 3 }, cursor: null },
      { phase: 'follow', owner: 'c1' },
    ]);
    expect(new Set(sides.verified)).toEqual(new Set([0, 1]));

    const there = await drive('cutover');
    expect(there.streams).toMatchObject([{ result: 'reached', owner: 'c2' }, { result: 'reached' }]);
    expect(there.streams[0]?.pauseMs).toBeGreaterThan(0);
    expect(await owners()).toEqual(['c2', 'c2', 'c2', 'c2']);
    expect(await movers.streams()).toMatchObject([
      {
        phase: 'follow',
        leg: 1,
        handover: { positions: { '0': '100' }, pauseMs: there.streams[0]?.pauseMs },
      },
      { phase: 'follow', leg: 1 },
    ]);
    const entries = [...(await movers.estate()).shards.values()].map(({ value }) => value);
    expect(entries[0]).toMatchObject({ generation: 2, state: 'serving', handover: '100' });

    expect((await drive('cutover')).changed).toBe(false);
    await drive('reverse');
    expect(await owners()).toEqual(['c1', 'c1', 'c1', 'c1']);
    expect((await drive('reverse')).changed).toBe(false);
    await drive('verify');
    await drive('cutover');
    expect(await owners()).toEqual(['c2', 'c2', 'c2', 'c2']);

    const { operation } = await drive('complete');
    expect(operation).toMatchObject({ status: 'done', phase: 'done' });
    expect(operation.outcomes?.toSorted((a, b) => a.stream - b.stream)).toMatchObject([
      {
        stream: 0,
        outcome: 'moved',
        owner: 'c2',
        generations: { '0': 4, '1': 4 },
        positions: { '0': '100' },
      },
      { stream: 1, outcome: 'moved', owner: 'c2' },
    ]);
    const estate = await movers.estate();
    expect([estate.moves.size, estate.moveReports.size]).toEqual([0, 0]);
    expect((await etcd.range(movers.keys.movingShards)).kvs).toEqual([]);
    expect((await drive('complete')).changed).toBe(false);
    const log = await actions();
    expect(log.filter((action) => action === 'rebalance.start')).toHaveLength(1);
    expect(log.filter((action) => action === 'rebalance.stream-end')).toHaveLength(2);
  });
});
