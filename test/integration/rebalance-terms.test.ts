import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { codeOf, outcomeOf } from '../support/coordinators.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { faultyEtcd } from '../support/faulty-etcd.ts';
import { type GroundOptions, RebalanceGround } from '../support/rebalance-ground.ts';
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

const failOver = (cluster: string) => ground.movers.lead(cluster, `${cluster}-b`, 4);

describe('a change of term', () => {
  const both = ['c1', 'c2'];

  it.each(both)('of %s in the copy makes it be copied anew, and the start goes on', async (cluster) => {
    await prepare({ shards: 2, scripts: { c2: { holds: ['copy'] } } });
    const started = ground.start();
    await ground.untilPhase('copy');
    await failOver(cluster);
    await ground.until('the next attempt', ({ attempt }) => attempt === 2);
    script('c2', {});
    await started;
    expect(await ground.stream()).toMatchObject({ phase: 'follow', attempt: 2, terms: { [cluster]: 4 } });
  });

  it.each(both)('of %s while it follows does so too, and needs no coordinator', async (cluster) => {
    await following();
    await failOver(cluster);
    const record = await ground.untilPhase('copy');
    expect(record).toMatchObject({ attempt: 2, verification: null });
    await ground.resume();
    expect(await ground.stream()).toMatchObject({ phase: 'follow', attempt: 2 });
    await ground.drive('cutover');
    expect(await ground.served()).toEqual(['c2']);
  });

  it.each(both)('of %s while callers wait: backed out first, then copied anew', async (cluster) => {
    await following();
    script('c2', { holds: ['seal'] });
    const driven = outcomeOf(ground.drive('cutover', etcd, { pauseBudgetMs: 5_000 }));
    await ground.untilPhase('seal');
    await failOver(cluster);
    expect(await driven).toMatchObject({ code: 'cutover_backed_out' });
    expect(await ground.served()).toEqual(['c1']);
    script('c2', {});
    await ground.until('the next attempt', ({ attempt }) => attempt === 2);
    await ground.resume();
    expect(await ground.stream()).toMatchObject({ phase: 'follow', terms: { [cluster]: 4 } });
  });

  it.each(both)('of %s right before the flip makes the flip fail its compare', async (cluster) => {
    await following();
    const port = faultyEtcd(etcd, async (count) => {
      if (count === 4) await failOver(cluster);
      return undefined;
    });
    expect(codeOf(await outcomeOf(ground.drive('cutover', port)))).toBe('cutover_backed_out');
    expect(await ground.served()).toEqual(['c1']);
  });

  it.each(both)(
    'of %s after the flip parts them; a reverse copies first, and hands over',
    async (cluster) => {
      await following();
      script('c1', { holds: ['turn'] });
      const driven = ground.drive('cutover');
      await ground.untilPhase('turn');
      await failOver(cluster);
      await driven;
      expect(await ground.stream()).toMatchObject({ phase: 'parted', owner: 'c2' });
      expect(await ground.served()).toEqual(['c2']);
      script('c1', {});
      await ground.drive('reverse');
      expect(await ground.served()).toEqual(['c1']);
      expect(await ground.stream()).toMatchObject({ phase: 'follow', attempt: 2, leg: 2 });
    },
  );

  it.each(both)('of %s while it is cleaned is waited for', async (cluster) => {
    await following({ scripts: { c1: { holds: ['clean'] }, c2: { holds: ['clean'] } } });
    const driven = ground.drive('cancel');
    await ground.untilPhase('clean');
    await failOver(cluster);
    ground.movers.scripts['c1'] = {};
    script('c2', {});
    expect((await driven).operation.status).toBe('aborted');
    expect(await ground.left()).toEqual([]);
  });
});
