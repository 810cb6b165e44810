import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { adoptOperation } from '../../src/controlplane/operation/control.ts';
import { listOperations } from '../../src/controlplane/operation/journal.ts';
import { pauseRebalance } from '../../src/controlplane/rebalance/pause-streams.ts';
import { runRebalance } from '../../src/controlplane/rebalance/run.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { codeOf, outcomeOf } from '../support/coordinators.ts';
import { eventually, startEtcd, type TestEtcd } from '../support/etcd.ts';
import { faultyEtcd } from '../support/faulty-etcd.ts';
import { type GroundOptions, RebalanceGround } from '../support/rebalance-ground.ts';
import { planFor } from '../support/rebalance-plans.ts';
import type { MoverScript } from '../support/scripted-movers.ts';

let server: TestEtcd;
let etcd: EtcdPort;
let ground: RebalanceGround;

beforeAll(async () => {
  server = await startEtcd();
  etcd = await server.open();
});
afterAll(async () => {
  etcd.close();
  await server.stop();
});
afterEach(() => ground.close());

async function prepare(options: GroundOptions = {}): Promise<void> {
  ground = await RebalanceGround.open(etcd, options);
}

/** Everything follows and is verified. */
async function following(options: GroundOptions = {}): Promise<void> {
  await prepare({ shards: 2, ...options });
  await ground.start();
}

const script = (cluster: string, change: MoverScript) => {
  ground.movers.scripts[cluster] = change;
  ground.movers.nudge();
};

describe('a rebalance', () => {
  it('goes there and back again, and is completed', async () => {
    await prepare();
    const started = await ground.start();
    expect(started.operation).toMatchObject({ phase: 'standing', cluster: 'c1', error: null });
    expect(await ground.movers.streams()).toMatchObject([
      { phase: 'follow', owner: 'c1', attempt: 1, leg: 0, terms: { c1: 3, c2: 3 }, cursor: null },
      { phase: 'follow', owner: 'c1' },
    ]);
    expect(new Set(ground.sides.verified)).toEqual(new Set([0, 1]));

    const there = await ground.drive('cutover');
    expect(there.streams).toMatchObject([{ result: 'reached', owner: 'c2' }, { result: 'reached' }]);
    const pauseMs = there.streams[0]?.pauseMs;
    expect(pauseMs).toBeGreaterThan(0);
    expect(await ground.served()).toEqual(['c2']);
    expect(await ground.movers.streams()).toMatchObject([
      { phase: 'follow', leg: 1, handover: { positions: { '0': '100' }, pauseMs } },
      { phase: 'follow', leg: 1 },
    ]);
    expect((await ground.entries())[0]).toMatchObject({ generation: 2, handover: '100' });

    expect((await ground.drive('cutover')).changed).toBe(false);
    await ground.drive('reverse');
    expect(await ground.served()).toEqual(['c1']);
    expect((await ground.drive('reverse')).changed).toBe(false);
    await ground.drive('verify');
    await ground.drive('cutover');
    expect(await ground.served()).toEqual(['c2']);

    const { operation } = await ground.drive('complete');
    expect(operation).toMatchObject({ status: 'done', phase: 'done' });
    expect(operation.outcomes?.toSorted((a, b) => a.stream - b.stream)).toMatchObject([
      {
        stream: 0,
        outcome: 'moved',
        owner: 'c2',
        generations: { '0': 4, '1': 4 },
        positions: { '0': '100', '1': '100' },
        pauseMs: expect.any(Number) as number,
      },
      { stream: 1, outcome: 'moved', owner: 'c2' },
    ]);
    expect(await ground.left()).toEqual([]);
    expect((await ground.drive('complete')).changed).toBe(false);
    const log = await ground.actions();
    expect(log.filter((action) => action === 'rebalance.start')).toHaveLength(1);
    expect(log.filter((action) => action === 'rebalance.stream-end')).toHaveLength(2);
  });

  it('copies no more streams of a cluster at once than the plan allows', async () => {
    await prepare({ shards: 8, scripts: { c2: { holds: ['copy'] } } });
    const started = ground.start();
    const copying = async () =>
      (await ground.movers.streams()).filter(({ phase }) => phase === 'copy').length;
    await eventually('two copies are under way', async () => ((await copying()) === 2 ? true : undefined));
    let most = 0;
    const watch = await etcd.watch(ground.movers.keys.moves, {
      onSnapshot: () => undefined,
      onEvents: () => void copying().then((count) => (most = Math.max(most, count))),
    });
    script('c2', {});
    await started;
    await watch.close();
    expect(most).toBeLessThanOrEqual(2);
    expect(await ground.movers.streams()).toHaveLength(4);
  });

  it('of 300 shards flips each stream of 30 in one transaction', { timeout: 120_000 }, async () => {
    await prepare({ shards: 300 });
    await ground.start(etcd, { plan: await planFor(ground.movers, { perStream: 30 }) });
    const { streams } = await ground.drive('cutover');
    expect(streams).toHaveLength(10);
    expect(await ground.served()).toEqual(['c2']);
    // One version each for a seal and a flip.
    expect(await ground.mapVersion()).toBe(1 + 20);
    const { operation } = await ground.drive('complete');
    expect(operation.outcomes).toHaveLength(10);
    expect(await ground.left()).toEqual([]);
  });

  it('is listed under both of its clusters, and no agent adopts it', async () => {
    await following();
    const { keys } = ground.movers;
    for (const cluster of ['c1', 'c2']) expect(await listOperations({ etcd, keys, cluster })).toHaveLength(1);
    const id = await ground.id();
    const adopted = outcomeOf(adoptOperation({ etcd, keys, id, actor: 'agent' }));
    expect(codeOf(await adopted)).toBe('operation_not_adoptable');
    for (const { activeOperation } of (await ground.movers.estate()).clusters.values())
      expect(activeOperation).toBeUndefined();
  });

  it('hands over only the streams that were chosen, and completes only those', async () => {
    await prepare();
    await ground.start();
    const part = await outcomeOf(ground.drive('cutover', etcd, { shards: [0] }));
    expect(part).toMatchObject({ code: 'shards_move_together', data: { missing: [1] } });
    expect(codeOf(await outcomeOf(ground.drive('cutover', etcd, { shards: [99] })))).toBe('shard_not_moving');
    await ground.drive('cutover', etcd, { shards: [0, 1] });
    expect(await ground.owners()).toEqual(['c2', 'c2', 'c1', 'c1']);
    const { operation } = await ground.drive('complete', etcd, { shards: [0, 1] });
    expect(operation).toMatchObject({ status: 'running', phase: 'standing' });
    await ground.drive('cancel');
    expect(await ground.operation()).toMatchObject({
      status: 'done',
      outcomes: [{ outcome: 'moved' }, { outcome: 'kept' }],
    });
    expect(await ground.left()).toEqual([]);
  });

  it('that is interrupted while it copies is gone on with by a resume', async () => {
    await prepare({ shards: 2, scripts: { c2: { holds: ['copy'] } } });
    const interrupt = new AbortController();
    const started = outcomeOf(ground.start(etcd, { signal: interrupt.signal }));
    await ground.untilPhase('copy');
    interrupt.abort();
    expect(await started).toMatchObject({ code: 'operation_interrupted', exit: 5 });
    script('c2', {});
    await ground.resume();
    expect(await ground.stream()).toMatchObject({ phase: 'follow', attempt: 1 });
  });

  it('rests while a person has paused it, and goes on', async () => {
    await prepare({ shards: 2, scripts: { c2: { holds: ['copy'] } } });
    const started = ground.start();
    await ground.untilPhase('copy');
    const pause = async (paused: boolean) =>
      pauseRebalance({ etcd, keys: ground.movers.keys, id: await ground.id(), actor: 'test', paused });
    expect(await pause(true)).toEqual({ changed: true, streams: [0] });
    expect((await pause(true)).changed).toBe(false);
    script('c2', {});
    await eventually('the copy has ended', async () => {
      const reports = (await ground.movers.estate()).moveReports.values();
      return [...reports].some(({ value }) => value.role === 'other' && value.following) ? true : undefined;
    });
    expect(await ground.stream()).toMatchObject({ phase: 'copy', paused: true });
    await pause(false);
    await started;
    await pause(true);
    expect(codeOf(await outcomeOf(ground.drive('cutover')))).toBe('move_paused');
  });
});

describe('a rebalance is refused, and nothing is changed,', () => {
  it('when a shard is being moved already', async () => {
    await following();
    const error = await outcomeOf(
      runRebalance({
        etcd,
        keys: ground.movers.keys,
        actor: 'test',
        sides: () => Promise.resolve(ground.sides),
        plan: await planFor(ground.movers),
      }),
    );
    expect(error).toMatchObject({ code: 'shard_moving', exit: 4 });
    expect(await ground.id()).toBeTypeOf('string');
  });

  it('when another operation takes a shard while it begins: it can be given up', async () => {
    await prepare();
    const { keys } = ground.movers;
    const port = faultyEtcd(etcd, async (count) => {
      if (count === 3) await ground.movers.put([keys.moving(2), 'rebalance-other']);
      return undefined;
    });
    expect(codeOf(await outcomeOf(ground.start(port)))).toBe('shard_moving');
    await ground.abort();
    expect(await ground.operation()).toMatchObject({ status: 'aborted' });
    expect((await etcd.range(keys.movingShards)).kvs.map(({ key }) => key)).toEqual([keys.moving(2)]);
  });

  it.each(['c1', 'c2'])('when what the plan rests on has changed in %s', async (cluster) => {
    await prepare();
    const plan = await planFor(ground.movers);
    await ground.movers.lead(cluster, `${cluster}-b`, 4);
    expect(codeOf(await outcomeOf(ground.start(etcd, { plan })))).toBe('plan_drifted');
    expect(await ground.actions()).toEqual(['rebalance.start']);
  });

  it('when it is another plan than the one that was shown, or moves nothing', async () => {
    await prepare();
    expect(codeOf(await outcomeOf(ground.start(etcd, { planHash: 'other' })))).toBe('plan_drifted');
    const plan = await planFor(ground.movers, { shards: [] });
    expect(codeOf(await outcomeOf(ground.start(etcd, { plan })))).toBe('nothing_to_move');
  });
});

describe('a cancel', () => {
  it('of what is queued and copied leaves nothing', async () => {
    await prepare({ shards: 4, scripts: { c2: { holds: ['copy'] } } });
    const plan = await planFor(ground.movers, { over: { concurrentCopiesMax: 1 } });
    const started = outcomeOf(ground.start(etcd, { plan }));
    await ground.untilPhase('copy');
    expect(await ground.stream(1)).toMatchObject({ phase: 'queued' });
    const { operation } = await ground.abort();
    expect(codeOf(await started)).toBe('operation_superseded');
    expect(operation).toMatchObject({
      status: 'aborted',
      outcomes: [{ outcome: 'kept' }, { outcome: 'kept' }],
    });
    expect(await ground.left()).toEqual([]);
    expect(await ground.served()).toEqual(['c1']);
    expect((await ground.abort()).changed).toBe(false);
    expect(codeOf(await outcomeOf(ground.drive('cutover')))).toBe('operation_finished');
  });

  it('of what follows leaves nothing', async () => {
    await following();
    expect((await ground.drive('cancel')).operation.status).toBe('aborted');
    expect(await ground.left()).toEqual([]);
  });

  it('of what its coordinator has left sealed lets the owner serve first', async () => {
    await following();
    ground.movers.scripts['c1'] = { keepsSeal: true };
    const port = faultyEtcd(etcd, (count) => (count === 3 ? 'die-after' : undefined));
    await outcomeOf(ground.drive('cutover', port));
    expect(await ground.stream()).toMatchObject({ phase: 'seal' });
    await ground.drive('cancel');
    expect(await ground.served()).toEqual(['c1']);
    expect(await ground.left()).toEqual([]);
  });

  it('of what was handed over is refused; a complete ends it', async () => {
    await following();
    await ground.drive('cutover');
    const error = await outcomeOf(ground.abort());
    expect(error).toMatchObject({ code: 'operation_past_no_return', exit: 4 });
    await ground.drive('complete');
    expect(await ground.served()).toEqual(['c2']);
    expect(await ground.left()).toEqual([]);
  });

  it('of what was taken back is accepted', async () => {
    await following();
    await ground.drive('cutover');
    await ground.drive('reverse');
    expect((await ground.drive('cancel')).operation.outcomes).toMatchObject([
      { outcome: 'kept', owner: 'c1' },
    ]);
  });
});
