/** Coordinators of a rebalance that die, sleep, are overtaken, or don't hear what became of a write. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MoveGoalKind } from '../../src/domain/move-records.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { codeOf, onlyOperation, outcomeOf } from '../support/coordinators.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { type Fault, faultyEtcd, Killed } from '../support/faulty-etcd.ts';
import { type GroundOptions, RebalanceGround } from '../support/rebalance-ground.ts';
import { planFor } from '../support/rebalance-plans.ts';

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

type Stage = 'start' | Exclude<MoveGoalKind, 'copy' | 'verify'>;

/** The writes of an undisturbed coordinator of one stream, in order. */
const WRITES: Readonly<Record<Stage, readonly string[]>> = {
  start: ['begin', 'register', 'copy', 'ready', 'cursor', 'verified', 'end'],
  cutover: ['ask', 'refreshed', 'seal', 'flip', 'pause', 'turned', 'end'],
  reverse: ['ask', 'cursor', 'verified', 'refreshed', 'seal', 'flip', 'pause', 'turned', 'end'],
  complete: ['ask', 'clean', 'stream-end', 'end'],
  cancel: ['ask', 'clean', 'stream-end', 'end'],
};
const STAGES = Object.keys(WRITES) as readonly Stage[];
const BEFORE: Readonly<Record<Stage, readonly Stage[]>> = {
  start: [],
  cutover: ['start'],
  reverse: ['start', 'cutover'],
  complete: ['start', 'cutover'],
  cancel: ['start'],
};
const OWNER: Readonly<Record<Stage, string>> = {
  start: 'c1',
  cutover: 'c2',
  reverse: 'c1',
  complete: 'c2',
  cancel: 'c1',
};
const FLIPS: Readonly<Record<Stage, number>> = { start: 0, cutover: 1, reverse: 2, complete: 1, cancel: 0 };
const ENDING = { complete: 'done', cancel: 'aborted' } as const;
const TOUCHING_THE_MAP: ReadonlySet<string> = new Set(['seal', 'flip']);
/** More than lost replies cost. */
const BUDGET_MS = 20_000;

/** An estate with one stream, in which everything before that stage has been done. */
async function ready(stage: Stage, options: GroundOptions = {}): Promise<void> {
  ground = await RebalanceGround.open(etcd, { shards: 2, ...options });
  for (const before of BEFORE[stage]) await run(before);
}

async function run(stage: Stage, port: EtcdPort = etcd) {
  const plan = async () => planFor(ground.movers, { over: { pauseBudgetMs: BUDGET_MS } });
  return stage === 'start' ? ground.start(port, { plan: await plan() }) : ground.drive(stage, port);
}

const numberOf = (stage: Stage, write: string) => WRITES[stage].indexOf(write) + 1;
const at = (stage: Stage, write: string, fault: Fault) =>
  faultyEtcd(etcd, (count) => (count === numberOf(stage, write) ? fault : undefined));

/** What there is once a stage is done; each map change counts the entries of the log that belong to it. */
async function ending() {
  const { error, phase, outcomes } = await ground.operation();
  const log = await ground.actions();
  const logged = (action: string) => log.filter((entry) => entry === action).length;
  return {
    error,
    phase,
    outcomes: outcomes?.length,
    streams: (await ground.movers.streams()).map((one) => one.phase),
    left: (await ground.left()).length > 0,
    served: await ground.served(),
    starts: logged('rebalance.start'),
    unlogged: (await ground.mapVersion()) - 1 - logged('map.change'),
    generations: [...new Set((await ground.entries()).map(({ generation }) => generation))],
  };
}

/** As it is when nothing disturbs it: done, once, and nothing else. */
function end(stage: Stage) {
  const ends = stage === 'complete' || stage === 'cancel';
  return {
    error: null,
    phase: ends ? ENDING[stage] : 'standing',
    outcomes: ends ? 1 : 0,
    streams: ends ? [] : ['follow'],
    left: !ends,
    served: [OWNER[stage]],
    starts: 1,
    unlogged: 0,
    generations: [1 + FLIPS[stage]],
  };
}

const cases = STAGES.flatMap((stage) => WRITES[stage].map((write) => ({ stage, write })));

describe('the writes of a coordinator', () => {
  it.each(STAGES)('of %s are those that are disturbed here', async (stage) => {
    await ready(stage);
    let writes = 0;
    const port = faultyEtcd(etcd, (count) => {
      writes = count;
      return undefined;
    });
    await run(stage, port);
    expect(writes).toBe(WRITES[stage].length);
    expect(await ending()).toEqual(end(stage));
  });
});

describe('a coordinator that is killed', () => {
  const killings = cases.flatMap((one) =>
    (['die-before', 'die-after'] as const).map((fault) => ({ ...one, fault })),
  );

  it.each(killings)(
    'in $stage at $write ($fault) is followed by another, to the same end',
    async ({ stage, write, fault }) => {
      await ready(stage);
      expect(await outcomeOf(run(stage, at(stage, write, fault)))).toBeInstanceOf(Killed);
      const left = await onlyOperation(etcd, ground.movers.keys);
      const asked = fault === 'die-after' || numberOf(stage, write) > 1;
      await (asked && left !== undefined ? ground.resume() : run(stage));
      expect(await ending()).toEqual(end(stage));
    },
  );

  it('while callers wait is stood in for by the owner’s agent, and nobody else is needed', async () => {
    await ready('cutover', { scripts: { c2: { holds: ['seal'] } } });
    ground.movers.sealGraceMs = 100;
    await ground.drive('verify');
    const dead = ground.drive('cutover', at('cutover', 'seal', 'die-after'), { pauseBudgetMs: 200 });
    expect(await outcomeOf(dead)).toBeInstanceOf(Killed);
    const record = await ground.until('it follows again', ({ phase }) => phase === 'follow');
    expect(record.error).toMatchObject({ code: 'seal_expired' });
    expect(await ground.served()).toEqual(['c1']);
  });
});

describe('a reply that is lost', () => {
  const everywhere: readonly Fault[] = ['lose-reply', 'very-late'];
  const anyhow: readonly Fault[] = [...everywhere, 'lose-request', 'late'];
  const lost = cases.flatMap((one) =>
    (TOUCHING_THE_MAP.has(one.write) ? anyhow : everywhere).map((fault) => ({ ...one, fault })),
  );

  it.each(lost)(
    'in $stage at $write ($fault) is found out, and the end is the same',
    async ({ stage, write, fault }) => {
      await ready(stage);
      const port = at(stage, write, fault);
      await run(stage, port);
      await port.settled();
      expect(await ending()).toEqual(end(stage));
    },
  );

  it('of a flip, for longer than anybody asks, leaves what the records say: flipped', async () => {
    await ready('cutover');
    const port = faultyEtcd(etcd, (count) =>
      count >= numberOf('cutover', 'flip') ? 'lose-reply' : undefined,
    );
    // The same transaction is sent again and again; the first one was carried out.
    const error = await outcomeOf(ground.drive('cutover', port));
    expect(codeOf(error)).toBe('etcd_outcome_unknown');
    expect(await ground.served()).toEqual(['c2']);
    await ground.resume();
    expect(await ending()).toEqual(end('cutover'));
  });

  it('of a flip after which the way back is lost at once is still known to have flipped', async () => {
    await ready('cutover');
    const port = at('cutover', 'flip', 'lose-reply');
    const driven = run('cutover', port);
    await ground.untilPhase('turn');
    await ground.movers.lead('c1', 'c1-b', 4);
    expect(await driven).toMatchObject({ changed: true, streams: [{ result: 'reached', owner: 'c2' }] });
    expect(await ground.stream()).toMatchObject({ phase: 'parted', owner: 'c2' });
  });

  it('of a flip that never arrives leaves it to the owner’s agent, and a resume hands over after all', async () => {
    await ready('cutover');
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
  const overtaken = cases.filter(({ stage, write }) => numberOf(stage, write) > 1);

  it.each(overtaken)(
    'of which one is held in $stage at $write and overtaken: one ends it, the other is told',
    async ({ stage, write }) => {
      await ready(stage);
      const { port, reached, go } = heldAt(stage, write);
      const first = outcomeOf(run(stage, port));
      await reached;
      await ground.resume();
      go();
      expect(codeOf(await first)).toBe('operation_superseded');
      expect(await ending()).toEqual(end(stage));
    },
  );

  it('of which one asks for something else than the other drives: the later one counts', async () => {
    await ready('cutover');
    const { port, reached, go } = heldAt('cutover', 'seal');
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
    await ready('cutover');
    ground.movers.sealGraceMs = 100;
    const { port, reached, go } = heldAt('cutover', 'flip');
    const slept = outcomeOf(ground.drive('cutover', port, { pauseBudgetMs: 2_000 }));
    await reached;
    await ground.untilPhase('follow');
    go();
    expect(await slept).toMatchObject({ code: 'cutover_backed_out', exit: 4 });
    expect(await ground.served()).toEqual(['c1']);
    expect(await ground.stream()).toMatchObject({ phase: 'follow', leg: 0 });
  });

  it('in the middle of the flip, with its request under way, flips or backs out and never both', async () => {
    await ready('cutover');
    ground.movers.sealGraceMs = 0;
    // The late flip arrives when the agent has unsealed, or about to.
    const port = at('cutover', 'flip', 'very-late');
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
    await ready('cutover');
    const interrupt = new AbortController();
    const port = faultyEtcd(etcd, (count) => {
      if (count === numberOf('cutover', 'seal')) interrupt.abort();
      return undefined;
    });
    const error = await outcomeOf(ground.drive('cutover', port, { signal: interrupt.signal }));
    expect(codeOf(error)).toBe('operation_interrupted');
    expect(await ground.served()).toEqual(['c2']);
    await ground.resume();
    expect(await ending()).toEqual(end('cutover'));
  });
});

/** Holds one write until it is let go. */
function heldAt(stage: Stage, write: string) {
  const reached = Promise.withResolvers<void>();
  const go = Promise.withResolvers<undefined>();
  const port = faultyEtcd(etcd, (count) => {
    if (count !== numberOf(stage, write)) return undefined;
    reached.resolve();
    return go.promise;
  });
  return { port, reached: reached.promise, go: () => go.resolve(undefined) };
}
