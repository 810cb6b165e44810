import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { listAudit } from '../../src/controlplane/audit.ts';
import { acknowledgeBlock } from '../../src/controlplane/automatic/block.ts';
import { pauseCluster, unpauseCluster } from '../../src/controlplane/automatic/pause.ts';
import { clusterHistory } from '../../src/controlplane/cluster-history.ts';
import type { ClusterView } from '../../src/controlplane/cluster-view.ts';
import { readFailoverPlan } from '../../src/controlplane/failover/read-plan.ts';
import { runFailover } from '../../src/controlplane/failover/run.ts';
import { listOperations } from '../../src/controlplane/operation/journal.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import {
  type AutomaticAgent,
  QUICK,
  QUICK_FAILOVER,
  startAutomaticAgent,
} from '../support/automatic-agents.ts';
import { eventually, startEtcd, type TestEtcd } from '../support/etcd.ts';
import { faultyEtcd, Killed } from '../support/faulty-etcd.ts';
import { CLUSTER, ScriptedCluster, TERM } from '../support/scripted-agents.ts';
import { sampledFaults } from '../support/proof.ts';

let server: TestEtcd;
let etcd: EtcdPort;
let cluster: ScriptedCluster;
let agents: AutomaticAgent[] = [];

beforeAll(async () => {
  server = await startEtcd();
  etcd = await server.open();
});
afterAll(async () => {
  etcd.close();
  await server.stop();
});
afterEach(async () => {
  await Promise.all(agents.map((one) => one.stop()));
  agents = [];
  await cluster.stop();
});

async function prepare(options: Parameters<ScriptedCluster['seed']>[0] = {}): Promise<void> {
  cluster = new ScriptedCluster(etcd);
  await cluster.seed({ contract: QUICK, ...options });
  await cluster.start();
}

async function agent(member: string, through: EtcdPort = etcd): Promise<AutomaticAgent> {
  const started = await startAutomaticAgent(cluster, member, { etcd, through });
  agents.push(started);
  return started;
}

const about = (actor = 'sre') => ({ etcd, keys: cluster.keys, cluster: CLUSTER, actor });
const until = (what: string, holds: (view: ClusterView) => boolean) =>
  eventually(what, async () => {
    const view = await cluster.view();
    return holds(view) ? view : undefined;
  });
const operations = () => listOperations({ etcd, keys: cluster.keys });
const audited = async () =>
  (await listAudit(etcd, cluster.keys)).map(({ action, outcome }) => `${action} ${outcome}`);

const takeOvers = async () =>
  (await listAudit(etcd, cluster.keys)).filter(({ action }) => action === 'failover.take-over');

/** Something else is committed after the agent has read everything and before its fence arrives. */
async function raced(first: () => Promise<unknown>): Promise<AutomaticAgent> {
  await prepare();
  const hurried = Promise.withResolvers<void>();
  let done = false;
  const port = faultyEtcd(etcd, async () => {
    if (!done) {
      done = true;
      await first();
      hurried.resolve();
    }
    return undefined;
  });
  const one = await agent('b', port);
  await hurried.promise;
  return one;
}

/** One verified leader, and one operation that made it. */
async function untilReplaced() {
  const view = await until(
    'a new leader',
    ({ authority, activeOperation }) =>
      authority?.value.phase === 'open' && authority.value.term > TERM && activeOperation === undefined,
  );
  expect(view.authority?.value).toMatchObject({ term: TERM + 1, leader: 'b' });
  const [operation, ...others] = await operations();
  expect(others).toEqual([]);
  expect(operation).toMatchObject({ status: 'done', error: null, approvals: [] });
  return { view, operation };
}

async function expectUntouched(): Promise<void> {
  const view = await cluster.view();
  expect(view.authority?.value).toMatchObject({ term: TERM, leader: 'a', phase: 'open' });
  expect(view.tally).toBeUndefined();
  expect(await operations()).toEqual([]);
}

describe('a leader whose lease has lapsed', () => {
  it('is replaced without a command, by an agent that says what it saw', async () => {
    await prepare();
    const { plan } = await readFailoverPlan(about());
    expect(plan.automatic).toEqual({ wouldRun: true, standing: 'on', against: [] });
    await agent('b');
    const { view, operation } = await untilReplaced();
    expect(operation).toMatchObject({
      actor: 'agent:b',
      reason: expect.stringContaining(`a has not renewed its lease of term ${TERM} for`) as string,
    });
    expect(view.tally?.value.begun.map((one) => one.operation)).toEqual([operation?.id]);
    expect(await audited()).toEqual(['failover.start done', 'failover.finish done']);
    const terms = await clusterHistory(etcd, cluster.keys, CLUSTER);
    expect(terms.at(-1)).toMatchObject({
      term: TERM + 1,
      leader: 'b',
      timeline: 2,
      end: 'current',
      operation: operation?.id,
      expectedLoss: '0',
      fence: { kind: 'frozen-voters', frozen: ['b', 'd'] },
      actor: 'agent:b',
      pauseMs: expect.any(Number) as number,
      prefix: { lsn: '0/5000000', timeline: 1, positions: 1 },
    });
  });

  it('is replaced before its lease has lapsed when its host says that its Postgres is gone', async () => {
    const lease = { ttlMs: 60_000, renewEveryMs: 100, marginMs: 50, driftMs: 50 };
    const failover = { ...QUICK_FAILOVER, deadAfterMs: 300 };
    await prepare({ contract: { ...QUICK, lease, failover } });
    const one = await agent('b');
    await one.hasWaited();
    await expectUntouched();
    one.refused = true;
    const { operation } = await untilReplaced();
    expect(operation?.reason).toMatch(/^the Postgres of a refuses connections, and its agent is silent for/);
  });

  it('is replaced once by two agents that begin at once; the other stands back quietly', async () => {
    await prepare();
    // Both have read everything before either fences.
    let waiting = 0;
    const gate = Promise.withResolvers<void>();
    const together = () =>
      faultyEtcd(etcd, async (write) => {
        if (write > 1) return undefined;
        waiting += 1;
        if (waiting === 2) gate.resolve();
        await gate.promise;
        return undefined;
      });
    const both = [await agent('b', together()), await agent('d', together())];
    await untilReplaced();
    await Promise.all(both.map((one) => one.hasWaited()));
    expect(await audited()).toEqual(['failover.start done', 'failover.finish done']);
    expect(both.flatMap(({ said }) => said).filter((said) => said.startsWith('did not'))).toEqual([]);
  });

  it('stays while a person has paused it, and only then', async () => {
    await prepare();
    const paused = { ...about(), reason: 'kernel update', forMs: null };
    expect(await pauseCluster(paused)).toMatchObject({ changed: true, pause: { by: 'sre', until: null } });
    expect(await pauseCluster(paused)).toMatchObject({ changed: false });
    const { plan } = await readFailoverPlan(about());
    expect(plan.automatic).toMatchObject({ wouldRun: false, standing: 'paused' });
    await (await agent('b')).hasWaited();
    await expectUntouched();
    expect(await unpauseCluster(about())).toMatchObject({ changed: true, pause: null });
    expect(await unpauseCluster(about())).toMatchObject({ changed: false });
    await untilReplaced();
    expect((await audited()).slice(0, 2)).toEqual(['cluster.pause done', 'cluster.unpause done']);
  });

  it('is replaced when the pause has run out', async () => {
    await prepare();
    await pauseCluster({ ...about(), reason: 'a moment', forMs: 1_500 });
    await agent('b');
    const { operation } = await untilReplaced();
    const end = (await cluster.view()).pause?.value.until ?? '';
    expect(Date.parse(operation?.createdAt ?? '')).toBeGreaterThanOrEqual(Date.parse(end));
  });

  it('is replaced by an operator while it is paused', async () => {
    await prepare();
    await pauseCluster({ ...about(), reason: 'mine', forMs: null });
    const { operation } = await runFailover({ ...about() });
    expect(operation.status).toBe('done');
    expect((await cluster.view()).tally).toBeUndefined();
  });

  it('stays while the agent’s watch is not proven', async () => {
    await prepare();
    const blind = await agent('b');
    blind.stale = true;
    await blind.hasWaited();
    await expectUntouched();
    blind.stale = false;
    expect((await untilReplaced()).operation?.actor).toBe('agent:b');
  });

  it('stays where the contract is older than automatic failovers, or leaves them to people', async () => {
    for (const failover of [undefined, { ...QUICK.failover, automatic: false }]) {
      await prepare({ contract: { ...QUICK, failover } as typeof QUICK });
      const standing = await agent('b');
      await standing.hasWaited();
      await expectUntouched();
      expect(standing.said).toEqual([]);
      await standing.stop();
      await cluster.stop();
    }
  });
});

describe('the fence of an automatic failover', () => {
  it('a pause that is committed before the fence wins, however late it came', async () => {
    const one = await raced(() => pauseCluster({ ...about(), reason: 'stop', forMs: null }));
    await one.hasWaited();
    await expectUntouched();
    expect(await audited()).toEqual(['cluster.pause done']);
  });

  it('a renewal that the agent has not seen makes it fail', async () => {
    const one = await raced(async () => {
      await cluster.lease('a', TERM);
      await cluster.heartbeat('a', { state: 'leading' });
    });
    await one.hasWaited();
    await expectUntouched();
    expect(await audited()).toEqual([]);
  });

  it('a contract that turned it off wins', async () => {
    const one = await raced(async () => {
      const contract = (await readFailoverPlan(about())).contract.value;
      await cluster.put(cluster.keys.contract, {
        ...contract,
        failover: { ...QUICK.failover, automatic: false },
      });
    });
    await one.hasWaited();
    await expectUntouched();
    expect(await audited()).toEqual([]);
  });

  it('counts once when its reply is lost', async () => {
    await prepare();
    await agent(
      'b',
      faultyEtcd(etcd, (write) => (write === 1 ? 'lose-reply' : undefined)),
    );
    const { view } = await untilReplaced();
    expect(view.tally?.value.begun).toHaveLength(1);
  });
});

describe('one failover too many', () => {
  it('is blocked until somebody acknowledges it, and the count begins anew', async () => {
    await prepare();
    const begun = ['f1', 'f2'].map((operation) => ({ operation, at: new Date().toISOString() }));
    await cluster.put(cluster.keys.automaticTally(CLUSTER), { begun });
    const one = await agent('b');
    await agent('d');
    const { block } = await until('a block', (view) => view.block !== undefined);
    expect(block?.value).toMatchObject({ failovers: begun });
    await one.hasWaited();
    expect(await operations()).toEqual([]);
    expect(await audited()).toEqual(['cluster.block done']);
    const { plan } = await readFailoverPlan(about());
    expect(plan.automatic).toMatchObject({ wouldRun: false, standing: 'blocked' });
    const acknowledged = { ...about(), reason: 'the disk was replaced' };
    expect(await acknowledgeBlock(acknowledged)).toMatchObject({ changed: true });
    expect(await acknowledgeBlock(acknowledged)).toEqual({ changed: false, block: null });
    const { view } = await untilReplaced();
    expect(view.tally?.value.begun).toHaveLength(1);
  });
});

/** Of fence, freeze, proof, decide, promote, verify, open, settle. */
const DECIDE = 4;

describe('an operation whose coordinator is gone', () => {
  const deaths = sampledFaults(
    'a coordinator that is killed',
    [1, 2, 3, 4, 5, 6, 7, 8].flatMap((write) =>
      (['die-before', 'die-after'] as const)
        .filter(
          (fault) => !(write === 1 && fault === 'die-before') && !(write === 8 && fault === 'die-after'),
        )
        .map((fault) => ({ write, fault })),
    ),
    DECIDE,
  );

  it.each(deaths)('at write $write ($fault) is adopted', async ({ write, fault }) => {
    await prepare();
    const port = faultyEtcd(etcd, (count) => (count === write ? fault : undefined));
    await expect(runFailover({ ...about(), etcd: port })).rejects.toBeInstanceOf(Killed);
    await agent('b');
    const { operation } = await untilReplaced();
    expect(operation?.actor).toBe('sre');
    expect(await takeOvers()).toMatchObject([{ actor: 'agent:b' }]);
  });

  it('of two adopters one drives it', async () => {
    await prepare();
    const port = faultyEtcd(etcd, (count) => (count === 3 ? 'die-after' : undefined));
    await expect(runFailover({ ...about(), etcd: port })).rejects.toBeInstanceOf(Killed);
    let waiting = 0;
    const gate = Promise.withResolvers<void>();
    const together = () =>
      faultyEtcd(etcd, async (write) => {
        if (write > 1) return undefined;
        waiting += 1;
        if (waiting === 2) gate.resolve();
        await gate.promise;
        return undefined;
      });
    const both = [await agent('b', together()), await agent('c', together())];
    await untilReplaced();
    await Promise.all(both.map((one) => one.hasWaited()));
    expect(await takeOvers()).toHaveLength(1);
  });

  it('was an agent, and another carries it on', async () => {
    await prepare();
    await agent(
      'b',
      faultyEtcd(etcd, (count) => (count === 2 ? 'die-after' : undefined)),
    );
    await until('the fence', ({ activeOperation }) => activeOperation !== undefined);
    await agent('d');
    const { operation } = await untilReplaced();
    expect(operation?.actor).toBe('agent:b');
  });

  it('because its operator interrupted it, is adopted: its cluster serves nobody', async () => {
    await prepare();
    const ctrlC = new AbortController();
    const interrupted = runFailover({
      ...about(),
      signal: ctrlC.signal,
      onProgress: ({ step }) => step === 'proof' && ctrlC.abort(),
    });
    await expect(interrupted).rejects.toMatchObject({ code: 'operation_interrupted' });
    await agent('c');
    expect((await untilReplaced()).operation?.actor).toBe('sre');
  });

  it('is left to its operator while the cluster is paused', async () => {
    await prepare();
    await pauseCluster({ ...about(), reason: 'mine', forMs: null });
    const port = faultyEtcd(etcd, (count) => (count === 2 ? 'die-after' : undefined));
    await expect(runFailover({ ...about(), etcd: port })).rejects.toBeInstanceOf(Killed);
    await (await agent('b')).hasWaited();
    expect(await takeOvers()).toEqual([]);
    await unpauseCluster(about());
    await untilReplaced();
  });

  it('is left to its operator when it asks for another plan', async () => {
    await prepare();
    cluster.scripts['d'] = { replayedLsn: '0/4000000' };
    const asked = runFailover({ ...about(), target: 'd' });
    await expect(asked).rejects.toMatchObject({ code: 'target_behind' });
    const one = await agent('b');
    await eventually('it says so', () => (one.said.includes('not adopted') ? true : undefined));
    await one.hasWaited();
    expect(await takeOvers()).toEqual([]);
    expect((await cluster.view()).authority?.value.phase).toBe('fenced');
  });
});

describe('a failed operation', () => {
  it('is verified again once its promotion report was mended, and left until then', async () => {
    await prepare();
    cluster.scripts['b'] = { promotion: { switchLsn: '0/6000000' } };
    await expect(runFailover(about())).rejects.toMatchObject({ code: 'prefix_differs' });
    const one = await agent('d');
    await eventually('it says so', () => (one.said.includes('not adopted') ? true : undefined));
    await one.hasWaited();
    expect(await operations()).toMatchObject([{ status: 'failed' }]);
    const report = (await cluster.view()).promotion?.value;
    await cluster.put(cluster.keys.promotionReport(CLUSTER), { ...report, switchLsn: '0/5000000' });
    await untilReplaced();
  });
});

it('an operation whose coordinator lives is not adopted, however long it takes', async () => {
  await prepare({ freezeMs: 30_000 });
  for (const member of ['b', 'd']) cluster.scripts[member] = { deaf: true };
  const run = runFailover(about());
  const one = await agent('c');
  await until('the sign of life', ({ coordinators }) => coordinators.size === 1);
  await one.hasWaited();
  for (const member of ['b', 'd']) cluster.scripts[member] = {};
  await cluster.act();
  expect((await run).operation.status).toBe('done');
  expect(await audited()).toEqual(['failover.start done', 'failover.finish done']);
  await until('no sign of life is left', ({ coordinators }) => coordinators.size === 0);
});
