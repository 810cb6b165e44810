/** Coordinators of a rebalance that die, sleep, are overtaken, or don't hear what became of a write. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { codeOf, onlyOperation, outcomeOf } from '../support/coordinators.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { type Fault, faultyEtcd, Killed } from '../support/faulty-etcd.ts';
import { sampled } from '../support/proof.ts';
import {
  ALL_WRITES,
  endOf,
  numberOf,
  STAGES,
  StageSet,
  touchesTheMap,
  type Write,
  WRITES,
} from '../support/rebalance-stages.ts';

let server: TestEtcd;
let etcd: EtcdPort;
let stages: StageSet;

beforeAll(async () => {
  server = await startEtcd();
  etcd = await server.open();
  stages = new StageSet(etcd);
});
afterAll(async () => {
  etcd.close();
  await server.stop();
});

const EVERY = 9;
const faultName = ({ stage, write, fault }: Write & { readonly fault: Fault }) =>
  `${stage} ${write} ${fault}`;

describe('the writes of a coordinator', () => {
  it.concurrent.each(STAGES)('of %s are those that are disturbed here', async (stage) => {
    await using scene = await stages.ready(stage);
    let writes = 0;
    const port = faultyEtcd(etcd, (count) => {
      writes = count;
      return undefined;
    });
    await scene.run(stage, port);
    expect(writes).toBe(WRITES[stage].length);
    expect(await scene.ending()).toEqual(endOf(stage));
  });
});

describe('a coordinator that is killed', () => {
  const killings = sampled(
    'a coordinator that is killed',
    ALL_WRITES.flatMap((one) => (['die-before', 'die-after'] as const).map((fault) => ({ ...one, fault }))),
    { every: EVERY, always: touchesTheMap, name: faultName },
  );

  it.concurrent.each(killings)(
    'in $stage at $write ($fault) is followed by another, to the same end',
    async ({ stage, write, fault }) => {
      await using scene = await stages.ready(stage);
      const { ground } = scene;
      expect(await outcomeOf(scene.run(stage, scene.faultAt(stage, write, fault)))).toBeInstanceOf(Killed);
      const left = await onlyOperation(etcd, ground.movers.keys);
      const asked = fault === 'die-after' || numberOf(stage, write) > 1;
      await (asked && left !== undefined ? ground.resume() : scene.run(stage));
      expect(await scene.ending()).toEqual(endOf(stage));
    },
  );

  it('while callers wait is stood in for by the owner’s agent, and nobody else is needed', async () => {
    await using scene = await stages.ready('cutover', { scripts: { c2: { holds: ['seal'] } } });
    const { ground } = scene;
    ground.movers.sealGraceMs = 100;
    await ground.drive('verify');
    const dead = ground.drive('cutover', scene.faultAt('cutover', 'seal', 'die-after'), {
      pauseBudgetMs: 200,
    });
    expect(await outcomeOf(dead)).toBeInstanceOf(Killed);
    const record = await ground.until('it follows again', ({ phase }) => phase === 'follow');
    expect(record.error).toMatchObject({ code: 'seal_expired' });
    expect(await ground.served()).toEqual(['c1']);
  });
});

describe('a reply that is lost', () => {
  const everywhere: readonly Fault[] = ['lose-reply', 'very-late'];
  const anyhow: readonly Fault[] = [...everywhere, 'lose-request', 'late'];
  const lost = sampled(
    'a reply that is lost',
    ALL_WRITES.flatMap((one) =>
      (touchesTheMap(one) ? anyhow : everywhere).map((fault) => ({ ...one, fault })),
    ),
    { every: EVERY, always: touchesTheMap, name: faultName },
  );

  it.concurrent.each(lost)(
    'in $stage at $write ($fault) is found out, and the end is the same',
    async ({ stage, write, fault }) => {
      await using scene = await stages.ready(stage);
      const port = scene.faultAt(stage, write, fault);
      await scene.run(stage, port);
      await port.settled();
      expect(await scene.ending()).toEqual(endOf(stage));
    },
  );

  it('of a flip, for longer than anybody asks, leaves what the records say: flipped', async () => {
    await using scene = await stages.ready('cutover');
    const { ground } = scene;
    const port = faultyEtcd(etcd, (count) =>
      count >= numberOf('cutover', 'flip') ? 'lose-reply' : undefined,
    );
    // The same transaction is sent again and again; the first one was carried out.
    const error = await outcomeOf(ground.drive('cutover', port));
    expect(codeOf(error)).toBe('etcd_outcome_unknown');
    expect(await ground.served()).toEqual(['c2']);
    await ground.resume();
    expect(await scene.ending()).toEqual(endOf('cutover'));
  });

  it('of a flip after which the way back is lost at once is still known to have flipped', async () => {
    await using scene = await stages.ready('cutover');
    const { ground } = scene;
    const port = scene.faultAt('cutover', 'flip', 'lose-reply');
    const driven = scene.run('cutover', port);
    await ground.untilPhase('turn');
    await ground.movers.lead('c1', 'c1-b', 4);
    expect(await driven).toMatchObject({ changed: true, streams: [{ result: 'reached', owner: 'c2' }] });
    expect(await ground.stream()).toMatchObject({ phase: 'parted', owner: 'c2' });
  });

  it('of a flip that never arrives leaves it to the owner’s agent, and a resume hands over after all', async () => {
    await using scene = await stages.ready('cutover');
    const { ground } = scene;
    ground.movers.sealGraceMs = 100;
    const port = faultyEtcd(etcd, (count) =>
      count >= numberOf('cutover', 'flip') ? 'lose-request' : undefined,
    );
    const error = await outcomeOf(ground.drive('cutover', port, { pauseBudgetMs: 3_000 }));
    expect(codeOf(error)).toBe('etcd_outcome_unknown');
    await ground.untilPhase('follow');
    expect(await ground.served()).toEqual(['c1']);
    await ground.resume();
    expect(await ground.served()).toEqual(['c2']);
  });
});

describe('two coordinators', () => {
  const overtaken = sampled(
    'two coordinators',
    ALL_WRITES.filter(({ stage, write }) => numberOf(stage, write) > 1),
    { every: EVERY, always: touchesTheMap, name: ({ stage, write }) => `${stage} ${write}` },
  );

  it.concurrent.each(overtaken)(
    'of which one is held in $stage at $write and overtaken: one ends it, the other is told',
    async ({ stage, write }) => {
      await using scene = await stages.ready(stage);
      const { ground } = scene;
      const { port, reached, go } = scene.heldAt(stage, write);
      const first = outcomeOf(scene.run(stage, port));
      await reached;
      await ground.resume();
      go();
      expect(codeOf(await first)).toBe('operation_superseded');
      expect(await scene.ending()).toEqual(endOf(stage));
    },
  );

  it('of which one asks for something else than the other drives: the later one counts', async () => {
    await using scene = await stages.ready('cutover');
    const { ground } = scene;
    const { port, reached, go } = scene.heldAt('cutover', 'seal');
    const first = outcomeOf(ground.drive('cutover', port));
    await reached;
    await ground.drive('cancel');
    go();
    expect(codeOf(await first)).toBe('operation_superseded');
    expect(await ground.served()).toEqual(['c1']);
    expect(await ground.left()).toEqual([]);
  });
});

describe('a coordinator that is paused', () => {
  it('between the seal and the flip wakes after the back-out, and its flip is refused', async () => {
    await using scene = await stages.ready('cutover');
    const { ground } = scene;
    ground.movers.sealGraceMs = 100;
    const { port, reached, go } = scene.heldAt('cutover', 'flip');
    const slept = outcomeOf(ground.drive('cutover', port, { pauseBudgetMs: 2_000 }));
    await reached;
    await ground.untilPhase('follow');
    go();
    expect(await slept).toMatchObject({ code: 'cutover_backed_out', exit: 4 });
    expect(await ground.served()).toEqual(['c1']);
    expect(await ground.stream()).toMatchObject({ phase: 'follow', leg: 0 });
  });

  it('in the middle of the flip, with its request under way, flips or backs out and never both', async () => {
    await using scene = await stages.ready('cutover');
    const { ground } = scene;
    ground.movers.sealGraceMs = 0;
    // The late flip arrives when the agent has unsealed, or about to.
    const port = scene.faultAt('cutover', 'flip', 'very-late');
    const error = await outcomeOf(ground.drive('cutover', port, { pauseBudgetMs: 150 }));
    await port.settled();
    // Which of both was first is a race; that it is one of them isn't.
    const generations = new Set((await ground.entries()).map(({ generation }) => generation));
    expect({ served: await ground.served(), generations: [...generations] }).toEqual(
      error === undefined ? { served: ['c2'], generations: [2] } : { served: ['c1'], generations: [1] },
    );
  });
});

describe('a Ctrl-C', () => {
  it('while callers wait lets the cutover end first', async () => {
    await using scene = await stages.ready('cutover');
    const { ground } = scene;
    const interrupt = new AbortController();
    const port = faultyEtcd(etcd, (count) => {
      if (count === numberOf('cutover', 'seal')) interrupt.abort();
      return undefined;
    });
    const error = await outcomeOf(ground.drive('cutover', port, { signal: interrupt.signal }));
    expect(codeOf(error)).toBe('operation_interrupted');
    expect(await ground.served()).toEqual(['c2']);
    await ground.resume();
    expect(await scene.ending()).toEqual(endOf('cutover'));
  });
});
