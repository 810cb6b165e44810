import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { resumeOperation } from '../../src/controlplane/operation/control.ts';
import { runRebalance } from '../../src/controlplane/rebalance/run.ts';
import type { CapstanError } from '../../src/domain/errors.ts';
import type { MoveReport } from '../../src/domain/move-records.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { codeOf, outcomeOf } from '../support/coordinators.ts';
import { eventually, startEtcd, type TestEtcd } from '../support/etcd.ts';
import { faultyEtcd } from '../support/faulty-etcd.ts';
import { type GroundOptions, RebalanceGround } from '../support/rebalance-ground.ts';
import { planFor } from '../support/rebalance-plans.ts';
import type { MoverScript } from '../support/scripted-movers.ts';
import { DIFFERENCE } from '../support/scripted-sides.ts';

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

let followed: Promise<RebalanceGround> | undefined;

/** Everything follows and is verified: a copy of an estate in which that was done once. */
async function following(options: Pick<GroundOptions, 'scripts'> = {}): Promise<void> {
  followed ??= follow();
  ground = await (await followed).copy(options);
}

async function follow(): Promise<RebalanceGround> {
  const first = await RebalanceGround.open(etcd, { shards: 2 });
  await first.start();
  await first.close();
  return first;
}

const script = (cluster: string, change: MoverScript) => {
  ground.movers.scripts[cluster] = change;
  ground.movers.nudge();
};

/** What a cutover that is refused leaves behind. */
async function refused() {
  const before = await ground.mapVersion();
  const error = await outcomeOf(ground.drive('cutover'));
  const changed = (await ground.mapVersion()) !== before;
  return { code: codeOf(error), exit: (error as CapstanError).exit, changed, served: await ground.served() };
}

const REFUSED = { exit: 4, changed: false, served: ['c1'] };

describe('a cutover is refused, and no caller waits,', () => {
  it('after a comparison that found differences, which the start says with exit 3', async () => {
    await prepare({ shards: 2 });
    ground.sides.script.differences = [DIFFERENCE];
    const error = await outcomeOf(ground.start());
    expect(error).toMatchObject({ code: 'move_differs', exit: 3 });
    expect(await ground.stream()).toMatchObject({ phase: 'follow', differences: [DIFFERENCE] });
    expect(await refused()).toEqual({ ...REFUSED, code: 'move_differs' });
    ground.sides.script.differences = [];
    await ground.drive('verify');
    await ground.drive('cutover');
    expect(await ground.served()).toEqual(['c2']);
  });

  it('without a comparison that is younger than its limit', async () => {
    await prepare({ shards: 2 });
    ground.sides.script.at = () => new Date(Date.now() - 700_000).toISOString();
    await ground.start();
    expect(await refused()).toEqual({ ...REFUSED, code: 'verification_stale' });
  });

  it('without any comparison since it was turned round', async () => {
    await following();
    await ground.drive('cutover');
    await ground.drive('reverse');
    expect(await refused()).toEqual({ ...REFUSED, code: 'verification_missing' });
  });

  it.each(['c1', 'c2'])('while the RPO gate of %s is on', async (cluster) => {
    await following();
    await ground.movers.gate(cluster, true);
    expect(await refused()).toEqual({ ...REFUSED, code: 'rpo_gate_on' });
    await ground.movers.gate(cluster, false);
    await ground.drive('cutover');
  });

  it.each(['c1', 'c2'])('while a failover holds %s', async (cluster) => {
    await following();
    await ground.movers.put([ground.movers.keys.activeOperation(cluster), 'failover-1']);
    expect(await refused()).toEqual({ ...REFUSED, code: 'operation_active' });
  });

  it('when what changed since the comparison differs', async () => {
    await following();
    ground.sides.script.differences = [DIFFERENCE];
    expect(await refused()).toEqual({ ...REFUSED, code: 'move_differs' });
  });

  it('before the copy has ended', async () => {
    await prepare({ shards: 2, scripts: { c2: { holds: ['copy'] } } });
    const started = outcomeOf(ground.start());
    await ground.untilPhase('copy');
    expect(await refused()).toEqual({ ...REFUSED, code: 'move_not_following' });
    script('c2', {});
    await started;
  });

  it.each<[string, Partial<MoveReport>]>([
    ['its lag is not known', { lagBytes: null }],
    ['it is far behind', { lagBytes: '99999999' }],
    ['the way back has no slot', { wayBack: { slot: 'absent', waitingFor: 'pid 7' } }],
    ['it yields', { yielding: 'commits take too long' }],
  ])('and waits while %s', async (_why, lie) => {
    await following();
    script('c2', {
      lies: (report) => (report.role === 'other' ? ({ ...report, ...lie } as MoveReport) : report),
    });
    await eventually('it says so', async () => {
      const reports = JSON.stringify([...(await ground.movers.estate()).moveReports.values()]);
      const [text = ''] = Object.entries(lie).map((entry) =>
        JSON.stringify(Object.fromEntries([entry])).slice(1, -1),
      );
      return reports.includes(text) ? true : undefined;
    });
    const waits = Promise.withResolvers<void>();
    const driven = ground.drive('cutover', etcd, {
      onProgress: ({ state }) => state === 'waiting' && waits.resolve(),
    });
    await waits.promise;
    expect(await ground.served()).toEqual(['c1']);
    script('c2', {});
    await driven;
    expect(await ground.served()).toEqual(['c2']);
  });
});

/** What a cutover that is backed out leaves behind. */
async function backedOut(pauseBudgetMs = 20_000) {
  const error = (await outcomeOf(ground.drive('cutover', etcd, { pauseBudgetMs }))) as CapstanError;
  const { owner, seal, leg } = await ground.stream();
  const generations = new Set((await ground.entries()).map(({ generation }) => generation));
  const [stream] = error.data['streams'] as { pauseMs: number }[];
  return {
    code: error.code,
    exit: error.exit,
    message: error.message,
    pauseMs: stream?.pauseMs ?? null,
    served: await ground.served(),
    stream: { owner, seal, leg },
    generations: [...generations],
  };
}

const BACKED_OUT = {
  code: 'cutover_backed_out',
  exit: 4,
  served: ['c1'],
  stream: { owner: 'c1', seal: null, leg: 0 },
  generations: [1],
};
const because = (why: RegExp) => ({ ...BACKED_OUT, message: expect.stringMatching(why) as string });

describe('a cutover is backed out, and the owner serves again,', () => {
  it('when nothing arrives within the budget, with the pause that it cost', async () => {
    await following();
    script('c2', { holds: ['seal'] });
    const ended = await backedOut(300);
    expect(ended).toMatchObject(because(/in vain for 300 ms/));
    expect(ended.pauseMs).toBeGreaterThanOrEqual(300);
    expect(ended.pauseMs).toBeLessThan(2_000);
    script('c2', {});
    await ground.drive('cutover');
    expect(await ground.served()).toEqual(['c2']);
  });

  it.each<[string, (report: MoveReport) => MoveReport, RegExp]>([
    [
      'another position arrived than was sealed',
      (report) =>
        report.role === 'other' && report.arrived !== null
          ? { ...report, arrived: { ...report.arrived, positions: { '0': '100', '1': '99' } } }
          : report,
      /shard 1 was sealed at 100, and 99 arrived/,
    ],
    [
      'a shard is missing in what arrived',
      (report) =>
        report.role === 'other' && report.arrived !== null
          ? { ...report, arrived: { ...report.arrived, positions: { '0': '100' } } }
          : report,
      /no position arrived/,
    ],
    [
      'what arrived is of another seal',
      (report) =>
        report.role === 'other' && report.arrived !== null
          ? { ...report, arrived: { ...report.arrived, seal: 'earlier' } }
          : report,
      /in vain/,
    ],
    [
      'the report is of an earlier attempt',
      (report) => ({ ...report, attempt: report.attempt - 1 }),
      /in vain/,
    ],
  ])('when %s', async (_what, lies, why) => {
    await following();
    script('c2', { lies: (report, record) => (record.phase === 'seal' ? lies(report) : report) });
    const pauseBudgetMs = why.source.includes('vain') ? 300 : 20_000;
    expect(await backedOut(pauseBudgetMs)).toMatchObject(because(why));
  });

  it('when the rest differs at the seal', async () => {
    await following();
    ground.sides.script.differencesAtSeal = [DIFFERENCE];
    expect(await backedOut()).toMatchObject(because(/differ in 1 places at the seal/));
  });

  it('when the rest takes longer to compare than callers are to wait', async () => {
    await following();
    ground.sides.script.sealedMs = 20_000;
    expect(await backedOut(2_000)).toMatchObject(because(/could not be verified/));
  });

  it('and the streams after it are not tried; those before it stay moved', async () => {
    await prepare({ shards: 6 });
    await ground.start();
    script('c2', {
      lies: (report, { stream, phase }) => (stream === 1 && phase === 'seal' ? undefined : report),
    });
    const error = await outcomeOf(ground.drive('cutover', etcd, { pauseBudgetMs: 3_000 }));
    expect(error).toMatchObject({
      code: 'rebalance_partial',
      exit: 6,
      data: { streams: [{ result: 'reached' }, { result: 'backed-out' }, { result: 'not-tried' }] },
    });
    expect(await ground.owners()).toEqual(['c2', 'c2', 'c1', 'c1', 'c1', 'c1']);
    script('c2', {});
    await ground.resume();
    expect(await ground.owners()).toEqual(['c2', 'c2', 'c1', 'c1', 'c1', 'c1']);
    await ground.drive('cutover');
    expect(await ground.served()).toEqual(['c2']);
  });
});

describe('the map', () => {
  it('may be changed by others while a cutover seals and flips', async () => {
    await prepare({ shards: 4 });
    const { keys } = ground.movers;
    await ground.start(etcd, { plan: await planFor(ground.movers, { shards: [0, 1] }) });
    const port = faultyEtcd(etcd, async (count) => {
      if (count !== 3 && count !== 5) return undefined;
      const { map } = await ground.movers.estate();
      await ground.movers.put([keys.map, { ...map.value, version: map.value.version + 1 }]);
      return undefined;
    });
    await ground.drive('cutover', port);
    expect(await ground.owners()).toEqual(['c2', 'c2', 'c1', 'c1']);
  });

  it('of another operation that began meanwhile stays out of its way', async () => {
    await prepare({ shards: 4, clusters: ['c1', 'c2', 'c3'] });
    const { keys } = ground.movers;
    const begin = async (shards: readonly number[], to: string) =>
      runRebalance({
        etcd,
        keys,
        actor: 'test',
        sides: () => Promise.resolve(ground.sides),
        plan: await planFor(ground.movers, { shards, to }),
      });
    const [one, two] = await Promise.all([begin([0, 1], 'c2'), begin([2, 3], 'c3')]);
    await Promise.all([
      ground.drive('cutover', etcd, { id: one.operation.id }),
      ground.drive('cutover', etcd, { id: two.operation.id }),
    ]);
    expect(await ground.owners()).toEqual(['c2', 'c2', 'c3', 'c3']);
    const again = await resumeOperation({ etcd, keys, id: one.operation.id, actor: 'test' });
    expect(again.changed).toBe(false);
  });
});
