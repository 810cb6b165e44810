import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { listAudit } from '../../src/controlplane/audit.ts';
import { readFailoverPlan } from '../../src/controlplane/failover/read-plan.ts';
import { runFailover, type RunFailoverOptions } from '../../src/controlplane/failover/run.ts';
import { renewLease } from '../../src/controlplane/lease.ts';
import { abortOperation, resumeOperation } from '../../src/controlplane/operation/control.ts';
import { listOperations, readOperation } from '../../src/controlplane/operation/journal.ts';
import { CapstanError } from '../../src/domain/errors.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { eventually, startEtcd, type TestEtcd } from '../support/etcd.ts';
import { CLUSTER, ScriptedCluster, TERM } from '../support/scripted-agents.ts';

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

async function prepare(options: Parameters<ScriptedCluster['seed']>[0] = {}): Promise<void> {
  cluster = new ScriptedCluster(etcd);
  await cluster.seed(options);
}

const run = (over: Partial<RunFailoverOptions> = {}) =>
  runFailover({ etcd, keys: cluster.keys, cluster: CLUSTER, actor: 'test', ...over });

const control = (id: string) => ({ etcd, keys: cluster.keys, id, actor: 'another' });

async function refusalOf(work: Promise<unknown>): Promise<CapstanError> {
  const error: unknown = await work.then(
    () => new Error('it was not refused'),
    (reason: unknown) => reason,
  );
  if (error instanceof CapstanError) return error;
  throw error;
}

const authority = async () => (await cluster.view()).authority?.value;
const active = async () => {
  const id = (await cluster.view()).activeOperation?.value;
  if (id === undefined) throw new Error('no active operation');
  return id;
};
const audited = async () =>
  (await listAudit(etcd, cluster.keys)).map(({ action, outcome }) => `${action} ${outcome}`);

describe('an in-region failover', () => {
  it('ends with one verified leader under the next term, degraded, journaled and audited', async () => {
    await prepare();
    await cluster.start();
    const before = (await cluster.view()).authority;
    if (before === undefined) throw new Error('no authority');
    const { plan } = await readFailoverPlan({ etcd, keys: cluster.keys, cluster: CLUSTER });
    expect(plan).toMatchObject({
      refusals: [],
      nextTerm: TERM + 1,
      opensDegraded: true,
      loss: { decisions: '0' },
    });
    expect(plan.candidates.map(({ member }) => member)).toEqual(['b', 'd']);

    const seen: string[] = [];
    const { operation, changed } = await run({
      planHash: plan.hash,
      onProgress: ({ step, state }) => state === 'finished' && seen.push(step),
    });

    const steps = ['fence', 'freeze', 'proof', 'decide', 'promote', 'verify', 'open', 'settle'];
    expect(changed).toBe(true);
    expect(seen).toEqual(steps);
    expect(operation).toMatchObject({ status: 'done', phase: 'done', planHash: plan.hash, error: null });
    expect(operation.steps.map(({ name }) => name)).toEqual(steps);
    expect(operation.steps.at(-1)?.result).toMatchObject({
      leader: 'b',
      measuredBy: 'monotonic clock',
      pauseMs: expect.any(Number),
      faultAt: expect.any(String),
    });
    const view = await cluster.view();
    expect(view.authority?.value).toMatchObject({ term: TERM + 1, phase: 'open', leader: 'b' });
    expect(view.inSync?.value).toMatchObject({ term: TERM + 1, voters: [], required: 0, degraded: true });
    expect(view.activeOperation).toBeUndefined();
    expect(await audited()).toEqual(['failover.start done', 'failover.finish done']);
    const renewal = { etcd, keys: cluster.keys, cluster: CLUSTER, grantId: 'x', sequence: 2, ttlMs: 3_000 };
    expect(await renewLease({ ...renewal, authority: before, member: 'a' })).toEqual({ kind: 'superseded' });
    const again = await resumeOperation(control(operation.id));
    expect(again).toEqual({ changed: false, operation });
  });

  it('promotes the frozen voter that holds most, whatever the heartbeats said', async () => {
    await prepare();
    await cluster.start();
    cluster.scripts['d'] = { replayedLsn: '0/10000000' };
    const { operation } = await run();
    expect(operation.steps.find(({ name }) => name === 'decide')?.result).toMatchObject({
      leader: 'd',
      prefix: { lsn: '0/10000000' },
    });
  });

  it('shows the last measured pause in the next plan', async () => {
    await prepare();
    await cluster.start();
    const { operation } = await run();
    const { plan } = await readFailoverPlan({ etcd, keys: cluster.keys, cluster: CLUSTER });
    expect(plan.pause).toMatchObject({ expectedMs: operation.steps.at(-1)?.result?.['pauseMs'] });
    expect(plan.refusals.map(({ code }) => code)).toContain('cluster_degraded');
  });

  it('is not held up by an observer that answers nobody', async () => {
    await prepare({ freezeMs: 60_000 });
    cluster.scripts['c'] = { deaf: true };
    await cluster.start();
    const { operation } = await run();
    expect(operation.status).toBe('done');
  });

  it('goes on with one frozen voter when all were required', async () => {
    await prepare({ freezeMs: 600 });
    cluster.scripts['b'] = { deaf: true };
    await cluster.start();
    const { operation } = await run();
    expect(operation.steps.at(-1)?.result).toMatchObject({ leader: 'd' });
  });
});

async function unchanged(code: string): Promise<void> {
  expect(await authority()).toMatchObject({ term: TERM, leader: 'a', phase: 'open' });
  expect(await listOperations({ etcd, keys: cluster.keys })).toEqual([]);
  const log = await listAudit(etcd, cluster.keys);
  expect(log).toMatchObject([
    {
      action: 'failover.start',
      outcome: 'refused',
      target: CLUSTER,
      reason: expect.stringContaining(code),
    },
  ]);
  expect(log[0]?.planHash).toMatch(/^[0-9a-f]{16}$/);
}

describe('a refusal changes nothing and is audited', () => {
  it('when the leader is healthy, unless it is forced', async () => {
    await prepare({ leaderAlive: true });
    await cluster.start();
    const refusal = await refusalOf(run());
    expect(refusal).toMatchObject({
      code: 'leader_healthy',
      exit: 4,
      next: 'run it again in a few seconds, or capstan failover run c1 --force',
    });
    await unchanged('leader_healthy');
    const { operation } = await run({ force: true });
    expect(operation).toMatchObject({ status: 'done', approvals: ['force'] });
  });

  it('when the plan has drifted', async () => {
    await prepare();
    const { plan } = await readFailoverPlan({ etcd, keys: cluster.keys, cluster: CLUSTER });
    await cluster.put(cluster.keys.map, { version: 2, updatedAt: new Date().toISOString() });
    expect(await refusalOf(run({ planHash: plan.hash }))).toMatchObject({ code: 'plan_drifted', exit: 4 });
    await unchanged('plan_drifted');
  });

  it('when the recorded voters run other incarnations', async () => {
    await prepare();
    await cluster.heartbeat('b', { incarnation: 'b-2' });
    await cluster.heartbeat('d', { state: 'quarantined', reason: 'was a leader' });
    const refusal = await refusalOf(run());
    expect(refusal.code).toBe('no_candidate');
    expect(refusal.message).toMatch(/b-2.*b-1.*quarantined: was a leader/s);
    await unchanged('no_candidate');
  });

  it('when the target is a follower that etcd does not record as in sync', async () => {
    await prepare({ inSync: { voters: [{ member: 'b', incarnation: 'b-1' }], required: 1 } });
    const refusal = await refusalOf(run({ target: 'd' }));
    expect(refusal).toMatchObject({ code: 'target_not_candidate' });
    expect(refusal.message).toMatch(/does not record it as in sync/);
    await unchanged('target_not_candidate');
  });

  it('when the contract forbids opening degraded, unless that is accepted', async () => {
    await prepare({ contract: { durability: { openDegraded: false } } });
    await cluster.start();
    expect(await refusalOf(run())).toMatchObject({ code: 'degraded_not_allowed' });
    await unchanged('degraded_not_allowed');
    const { operation } = await run({ acceptDegraded: true });
    expect(operation).toMatchObject({ status: 'done', approvals: ['accept-degraded'] });
  });

  it('when there is no such cluster, or it was interrupted before the fence', async () => {
    await prepare();
    expect(await refusalOf(run({ cluster: 'c9' }))).toMatchObject({ code: 'cluster_not_found' });
    expect(await refusalOf(run({ signal: AbortSignal.abort() }))).toMatchObject({
      code: 'interrupted',
      exit: 4,
    });
    expect(await authority()).toMatchObject({ term: TERM, phase: 'open' });
  });
});

describe('what stops an operation leaves it resumable', () => {
  it('voters that froze as another incarnation are not counted; the operation can be aborted', async () => {
    await prepare({ freezeMs: 300 });
    cluster.scripts['b'] = { deaf: true };
    cluster.scripts['d'] = { incarnation: 'd-2' };
    await cluster.start();
    const stop = await refusalOf(run());
    expect(stop).toMatchObject({ code: 'freeze_incomplete', exit: 5 });
    expect(stop.message).toMatch(/incarnation d-2/);
    const id = await active();
    expect(stop.next).toBe(
      `capstan operation resume ${id}; or capstan operation abort ${id}, which gives the cluster back to a`,
    );
    const { value } = await readOperation({ etcd, keys: cluster.keys, id });
    expect(value).toMatchObject({ status: 'running', phase: 'freeze', error: { code: 'freeze_incomplete' } });
    const blocked = await refusalOf(run());
    expect(blocked).toMatchObject({ code: 'operation_active', next: `capstan operation resume ${id}` });

    const aborted = await abortOperation(control(id));
    expect(aborted.operation).toMatchObject({ status: 'aborted' });
    expect(await authority()).toMatchObject({ term: TERM + 2, phase: 'open', leader: 'a', operation: null });
    expect((await cluster.view()).activeOperation).toBeUndefined();
    expect(await abortOperation(control(id))).toMatchObject({ changed: false });
    expect(await audited()).toEqual([
      'failover.start done',
      'failover.start refused',
      'failover.take-over done',
      'failover.abort done',
    ]);
  });

  it('the first Ctrl-C stops at a safe step, says what is left, and another coordinator finishes', async () => {
    await prepare({ freezeMs: 30_000 });
    cluster.scripts['b'] = { deaf: true };
    cluster.scripts['d'] = { deaf: true };
    await cluster.start();
    const ctrlC = new AbortController();
    const stopped = refusalOf(run({ signal: ctrlC.signal }));
    const id = await eventually('the fence', () => active().catch(() => undefined));
    ctrlC.abort();
    const error = await stopped;
    expect(error).toMatchObject({
      code: 'operation_interrupted',
      exit: 5,
      next: `capstan operation resume ${id}`,
      data: { left: ['freeze', 'proof', 'decide', 'promote', 'verify', 'open', 'settle'] },
    });
    expect(await authority()).toMatchObject({ term: TERM + 1, phase: 'fenced', leader: null });
    cluster.scripts['d'] = {};
    cluster.scripts['b'] = {};
    await cluster.act();
    const { operation } = await resumeOperation(control(id));
    expect(operation).toMatchObject({ status: 'done', error: null });
    expect(operation.steps.at(-1)?.result).toMatchObject({ measuredBy: 'wall clock' });
  });

  it('after the decision it can only go forward', async () => {
    await prepare();
    cluster.scripts['b'] = {};
    await cluster.start();
    const ctrlC = new AbortController();
    const stopped = refusalOf(
      run({
        signal: ctrlC.signal,
        onProgress: ({ step, state }) => {
          if (step === 'decide' && state === 'finished') ctrlC.abort();
        },
      }),
    );
    expect(await stopped).toMatchObject({ code: 'operation_interrupted' });
    const id = await active();
    expect(await refusalOf(abortOperation(control(id)))).toMatchObject({
      code: 'operation_past_no_return',
      exit: 4,
      next: `capstan operation resume ${id}`,
    });
    expect(await authority()).toMatchObject({ phase: 'promoting' });
    expect((await resumeOperation(control(id))).operation.status).toBe('done');
  });

  it('a promotion that differs from the decided prefix fails the operation and opens nothing', async () => {
    await prepare();
    cluster.scripts['b'] = { promotion: { positions: { '184': '982442' } } };
    await cluster.start();
    const failure = await refusalOf(run());
    expect(failure).toMatchObject({ code: 'prefix_differs' });
    expect(failure.message).toMatch(/shard 184 is at 982442, decided 982441/);
    const id = await active();
    expect(await authority()).toMatchObject({ phase: 'promoting', term: TERM + 1 });
    expect((await readOperation({ etcd, keys: cluster.keys, id })).value.status).toBe('failed');
    expect(await refusalOf(resumeOperation(control(id)))).toMatchObject({ code: 'prefix_differs' });
    expect(await authority()).toMatchObject({ phase: 'promoting' });

    const wrong = (await cluster.view()).promotion?.value;
    await cluster.put(cluster.keys.promotionReport(CLUSTER), { ...wrong, positions: { '184': '982441' } });
    expect((await resumeOperation(control(id))).operation).toMatchObject({ status: 'done', error: null });
  });

  it('an operation that does not exist is an error', async () => {
    await prepare();
    expect(await refusalOf(resumeOperation(control('failover-x')))).toMatchObject({
      code: 'operation_not_found',
      exit: 4,
    });
  });
});
