import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { listAudit } from '../../src/controlplane/audit.ts';
import { clusterHistory } from '../../src/controlplane/cluster-history.ts';
import { abortOperation, adoptOperation, resumeOperation } from '../../src/controlplane/operation/control.ts';
import { readSwitchoverPlan } from '../../src/controlplane/switchover/read-plan.ts';
import { runSwitchover } from '../../src/controlplane/switchover/run.ts';
import type { CapstanError } from '../../src/domain/errors.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { codeOf, onlyOperation, outcomeOf } from '../support/coordinators.ts';
import { eventually, startEtcd, type TestEtcd } from '../support/etcd.ts';
import { type Fault, faultyEtcd, Killed } from '../support/faulty-etcd.ts';
import { type AgentScript, CLUSTER, ScriptedCluster, TERM } from '../support/scripted-agents.ts';
import { sampledFaults } from '../support/proof.ts';

/** The writes of an undisturbed run: begin, prepare, drain, decide, promote, verify, open, settle. */
const WRITES = [1, 2, 3, 4, 5, 6, 7, 8];
const DECIDE = 4;
const BUDGET_MS = 2_000;

let server: TestEtcd;
let etcd: EtcdPort;
let cluster: ScriptedCluster;

beforeAll(async () => {
  server = await startEtcd();
  etcd = await server.open();
});
afterAll(async () => {
  etcd.close();
  await server.stop();
});
afterEach(() => cluster.stop());

async function prepare(scripts: Record<string, AgentScript> = {}): Promise<void> {
  cluster = new ScriptedCluster(etcd);
  Object.assign(cluster.scripts, scripts);
  await cluster.seed({ leaderAlive: true });
  await cluster.start();
}

const run = (port: EtcdPort = etcd, options: Partial<Parameters<typeof runSwitchover>[0]> = {}) =>
  runSwitchover({
    keys: cluster.keys,
    cluster: CLUSTER,
    actor: 'test',
    pauseBudgetMs: BUDGET_MS,
    ...options,
    etcd: port,
  });

const control = (id: string, port: EtcdPort = etcd) => ({
  etcd: port,
  keys: cluster.keys,
  id,
  actor: 'another',
});

const actions = async () => (await listAudit(etcd, cluster.keys)).map(({ action }) => action);

/** `b` leads the next term, verified; nothing of the operation is left behind. */
async function expectDone(): Promise<void> {
  const view = await cluster.view();
  expect(view.authority?.value).toMatchObject({ term: TERM + 1, phase: 'open', leader: 'b' });
  expect(view.inSync?.value).toMatchObject({ term: TERM + 1, degraded: true, voters: [] });
  expect(view.claim).toBeUndefined();
  for (const left of [view.activeOperation, view.handoverRequest, view.handoverReady, view.handoverReport])
    expect(left).toBeUndefined();
  expect(await onlyOperation(etcd, cluster.keys)).toMatchObject({
    status: 'done',
    phase: 'done',
    error: null,
  });
  const log = await actions();
  expect(log.filter((action) => action === 'switchover.start')).toHaveLength(1);
  expect(log.filter((action) => action === 'switchover.finish')).toHaveLength(1);
}

/** `a` leads on under the same term, with the set that it had, and the cluster is free. */
async function expectKept(): Promise<void> {
  const view = await cluster.view();
  expect(view.authority?.value).toMatchObject({ term: TERM, phase: 'open', leader: 'a', operation: null });
  expect(view.inSync?.value).toMatchObject({ voters: [{ member: 'b' }, { member: 'd' }], degraded: false });
  expect(view.activeOperation).toBeUndefined();
  expect(view.handoverRequest).toBeUndefined();
}

describe('a switchover', () => {
  it('hands over to the planned target, and tells of the pause and the term in the history', async () => {
    await prepare();
    const { operation } = await run();
    await expectDone();
    const settled = operation.steps.find(({ name }) => name === 'settle')?.result;
    expect(settled).toMatchObject({ leader: 'b', term: TERM + 1, measuredBy: 'monotonic clock' });
    const terms = await clusterHistory(etcd, cluster.keys, CLUSTER);
    expect(terms.at(-1)).toMatchObject({
      term: TERM + 1,
      leader: 'b',
      end: 'current',
      operation: operation.id,
      expectedLoss: '0',
      fence: { kind: 'agent-report', frozen: ['b'] },
      pauseMs: settled?.['pauseMs'],
    });
    const { plan } = await readSwitchoverPlan({ etcd, keys: cluster.keys, cluster: CLUSTER });
    expect(plan.pause.expectedMs).toBe(settled?.['pauseMs']);
  });

  it('takes the target that was asked for', async () => {
    await prepare();
    await run(etcd, { target: 'd' });
    expect((await cluster.view()).authority?.value).toMatchObject({ leader: 'd', term: TERM + 1 });
  });

  it('is refused with another plan than the one that was shown, audited, and nothing else is changed', async () => {
    await prepare();
    expect(codeOf(await outcomeOf(run(etcd, { planHash: 'another' })))).toBe('plan_drifted');
    expect(await onlyOperation(etcd, cluster.keys)).toBeUndefined();
    expect(await actions()).toEqual(['switchover.start']);
    await expectKept();
  });

  it('backs out when the leader’s agent keeps the cluster, and says why and for how long', async () => {
    await prepare({ a: { keeps: 'a voter had not flushed all' } });
    const error = await outcomeOf(run());
    expect(codeOf(error)).toBe('switchover_backed_out');
    expect((error as CapstanError).data).toMatchObject({ reason: 'a voter had not flushed all' });
    expect((error as CapstanError).data['pauseMs']).toBeTypeOf('number');
    await expectKept();
    expect(await onlyOperation(etcd, cluster.keys)).toMatchObject({ status: 'aborted' });
  });

  it.each<[string, Record<string, AgentScript>]>([
    ['the leader’s agent is dead', { a: { hangs: true } }],
    ['the target’s agent is dead', { b: { deaf: true } }],
    ['the target holds something else', { b: { positions: { '184': '982440' } } }],
    ['the target lacks the last record', { b: { replayedLsn: '0/4FFFFF0' } }],
  ])('backs out when %s', async (_why, scripts) => {
    await prepare(scripts);
    const leading = eventually('the authority is given back', async () => {
      const { authority, activeOperation } = await cluster.view();
      return authority?.value.phase === 'open' &&
        activeOperation === undefined &&
        (await onlyOperation(etcd, cluster.keys))?.phase === 'back-out'
        ? true
        : undefined;
    });
    const ended = outcomeOf(run(etcd, { pauseBudgetMs: 100, target: 'b' }));
    await leading;
    await cluster.lease('a', TERM);
    expect(codeOf(await ended)).toBe('switchover_backed_out');
    await expectKept();
  });

  it('changes nothing when the leader looks ill before it is ready', async () => {
    await prepare({ a: { deaf: true } });
    const ended = outcomeOf(run());
    await eventually('it has begun', async () => (await cluster.view()).activeOperation);
    await cluster.heartbeat('a', { state: 'fenced', postgresUp: false });
    expect(codeOf(await ended)).toBe('switchover_not_begun');
    await expectKept();
    expect(await actions()).toContain('switchover.abort');
  });

  it('that nobody drives is ended by an agent while nothing has changed, and carried on afterwards', async () => {
    await prepare();
    expect(
      await outcomeOf(run(faultyEtcd(etcd, (n) => (n === 2 ? 'die-before' : undefined)))),
    ).toBeInstanceOf(Killed);
    await adoptOperation(control((await onlyOperation(etcd, cluster.keys))?.id ?? ''));
    await expectKept();
    await cluster.stop();
    await prepare();
    expect(await outcomeOf(run(faultyEtcd(etcd, (n) => (n === 2 ? 'die-after' : undefined))))).toBeInstanceOf(
      Killed,
    );
    await adoptOperation(control((await onlyOperation(etcd, cluster.keys))?.id ?? ''));
    await expectDone();
  });

  it('is not left half done by a Ctrl-C once callers wait', async () => {
    await prepare();
    const interrupt = new AbortController();
    const port = faultyEtcd(etcd, (n) => {
      if (n === 2) interrupt.abort();
      return undefined;
    });
    expect(codeOf(await outcomeOf(run(port, { signal: interrupt.signal })))).toBe('operation_interrupted');
    expect((await cluster.view()).authority?.value).toMatchObject({ phase: 'open', leader: 'b' });
    await resumeOperation(control((await onlyOperation(etcd, cluster.keys))?.id ?? ''));
    await expectDone();
  });
});

describe('a coordinator that is killed', () => {
  const killings = sampledFaults(
    'a coordinator that is killed',
    WRITES.flatMap((write) => (['die-before', 'die-after'] as const).map((fault) => ({ write, fault }))),
    DECIDE,
  );
  const undecided = ({ write, fault }: (typeof killings)[number]) =>
    (write > 1 || fault === 'die-after') && (write < DECIDE || (write === DECIDE && fault === 'die-before'));

  it.each(killings)('at write $write ($fault) is finished by another', async ({ write, fault }) => {
    await prepare();
    const port = faultyEtcd(etcd, (count) => (count === write ? fault : undefined));
    expect(await outcomeOf(run(port))).toBeInstanceOf(Killed);
    const left = await onlyOperation(etcd, cluster.keys);
    expect(left === undefined).toBe(write === 1 && fault === 'die-before');
    await (left === undefined ? run() : resumeOperation(control(left.id)));
    await expectDone();
  });

  it.each(killings.filter(undecided))('at write $write ($fault) can be aborted', async ({ write, fault }) => {
    await prepare();
    const port = faultyEtcd(etcd, (count) => (count === write ? fault : undefined));
    expect(await outcomeOf(run(port))).toBeInstanceOf(Killed);
    await abortOperation(control((await onlyOperation(etcd, cluster.keys))?.id ?? ''));
    await expectKept();
    expect(await onlyOperation(etcd, cluster.keys)).toMatchObject({ status: 'aborted' });
  });

  it.each(killings.filter((killing) => killing.write >= DECIDE && !undecided(killing)))(
    'at write $write ($fault) has decided: an abort is refused',
    async ({ write, fault }) => {
      await prepare();
      const port = faultyEtcd(etcd, (count) => (count === write ? fault : undefined));
      expect(await outcomeOf(run(port))).toBeInstanceOf(Killed);
      const left = await onlyOperation(etcd, cluster.keys);
      const code = left?.status === 'done' ? 'operation_finished' : 'operation_past_no_return';
      expect(codeOf(await outcomeOf(abortOperation(control(left?.id ?? ''))))).toBe(code);
    },
  );
});

describe('a reply that is lost', () => {
  const faults: readonly Fault[] = ['lose-reply', 'lose-request', 'late', 'very-late'];
  const cases = sampledFaults(
    'a write whose reply was lost',
    WRITES.flatMap((write) => faults.map((fault) => ({ write, fault }))),
    DECIDE,
  );

  it.each(cases)(
    'at write $write ($fault) is found out, and the end is the same',
    async ({ write, fault }) => {
      await prepare();
      let used = false;
      const port = faultyEtcd(etcd, (count) => {
        if (count !== write || used) return undefined;
        used = true;
        return fault;
      });
      expect(await run(port)).toMatchObject({ changed: true });
      await port.settled();
      await expectDone();
    },
  );
});

describe('two coordinators', () => {
  const held = [2, 3, 4, 5, 6, 7, 8];

  it.each(held)(
    'of which one is held at write %i and overtaken: one ends it, the other is told',
    async (write) => {
      await prepare();
      const reached = Promise.withResolvers<void>();
      const go = Promise.withResolvers<undefined>();
      const port = faultyEtcd(etcd, (count) => {
        if (count !== write) return undefined;
        reached.resolve();
        return go.promise;
      });
      const first = outcomeOf(run(port));
      await reached.promise;
      await resumeOperation(control((await onlyOperation(etcd, cluster.keys))?.id ?? ''));
      go.resolve(undefined);
      expect(codeOf(await first)).toBe('operation_superseded');
      await expectDone();
    },
  );

  it.each([2, 3, DECIDE])('an abort that overtakes one held at write %i wins', async (write) => {
    await prepare();
    const reached = Promise.withResolvers<void>();
    const go = Promise.withResolvers<undefined>();
    const port = faultyEtcd(etcd, (count) => {
      if (count !== write) return undefined;
      reached.resolve();
      return go.promise;
    });
    const first = outcomeOf(run(port));
    await reached.promise;
    await abortOperation(control((await onlyOperation(etcd, cluster.keys))?.id ?? ''));
    go.resolve(undefined);
    expect(codeOf(await first)).toBe('operation_superseded');
    await expectKept();
  });

  it('an agent that keeps the cluster while the decision is on its way was first, and it backs out', async () => {
    await prepare();
    const port = faultyEtcd(etcd, async (count) => {
      if (count !== DECIDE) return undefined;
      const { authority } = await cluster.view();
      await cluster.put(cluster.keys.authority(CLUSTER), {
        ...authority?.value,
        phase: 'open',
        operation: null,
      });
      await cluster.lease('a', TERM);
      return undefined;
    });
    expect(codeOf(await outcomeOf(run(port)))).toBe('switchover_backed_out');
    await expectKept();
  });
});
