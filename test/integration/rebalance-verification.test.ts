import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { unreachableError } from '../../src/domain/errors.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { codeOf, outcomeOf } from '../support/coordinators.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { RebalanceGround } from '../support/rebalance-ground.ts';

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

const hold = () => {
  const held = Promise.withResolvers<void>();
  ground.sides.script.hold = held.promise;
  return () => held.resolve();
};

describe('a comparison of both sides', () => {
  it('that was interrupted goes on from its cursor with the next coordinator', async () => {
    ground = await RebalanceGround.open(etcd, { shards: 2 });
    const release = hold();
    const interrupt = new AbortController();
    const started = outcomeOf(ground.start(etcd, { signal: interrupt.signal }));
    await ground.until('the cursor is noted', ({ cursor }) => cursor !== null);
    interrupt.abort();
    expect(codeOf(await started)).toBe('operation_interrupted');
    release();
    await ground.resume();
    expect(ground.sides.from).toEqual([null, 'reservation']);
    expect(await ground.stream()).toMatchObject({ cursor: null, verification: { rows: '300' } });
  });

  it('that fails stops the coordinator with its reason, and nothing else', async () => {
    ground = await RebalanceGround.open(etcd, { shards: 2 });
    ground.sides.script.fails = unreachableError('c2 does not answer', { code: 'postgres_unreachable' });
    expect(codeOf(await outcomeOf(ground.start()))).toBe('postgres_unreachable');
    expect(await ground.stream()).toMatchObject({
      phase: 'follow',
      error: { code: 'postgres_unreachable' },
    });
    expect(await ground.operation()).toMatchObject({ status: 'running', phase: 'copy' });
    ground.sides.script.fails = undefined;
    await ground.resume();
    expect(await ground.stream()).toMatchObject({ error: null, verification: { rows: '300' } });
  });

  it('rests while the RPO gate of the one that receives is on', async () => {
    ground = await RebalanceGround.open(etcd, { shards: 2, scripts: { c2: { holds: ['copy'] } } });
    const rests = Promise.withResolvers<void>();
    const started = ground.start(etcd, {
      onProgress: ({ detail }) => detail?.includes('rests') === true && rests.resolve(),
    });
    await ground.untilPhase('copy');
    await ground.movers.gate('c2', true);
    ground.movers.scripts['c2'] = {};
    ground.movers.nudge();
    await rests.promise;
    expect((await ground.stream()).verification).toBeNull();
    await ground.movers.gate('c2', false);
    await started;
    expect((await ground.stream()).verification).not.toBeNull();
  });

  it('of a leg that is lost meanwhile says nothing of the next one', async () => {
    ground = await RebalanceGround.open(etcd, { shards: 2 });
    const release = hold();
    const started = ground.start();
    await ground.until('the cursor is noted', ({ cursor }) => cursor !== null);
    await ground.movers.lead('c2', 'c2-b', 4);
    await ground.until('the next attempt', ({ attempt, phase }) => attempt === 2 && phase === 'follow');
    expect((await ground.stream()).verification).toBeNull();
    release();
    await started;
    expect(ground.sides.verified).toHaveLength(2);
    expect(await ground.stream()).toMatchObject({ attempt: 2, verification: { rows: '300' } });
  });
});
