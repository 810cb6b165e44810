import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/clock/clock.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { listAudit } from '../../src/controlplane/audit.ts';
import { clusterHistory } from '../../src/controlplane/cluster-history.ts';
import { readFailoverPlan } from '../../src/controlplane/failover/read-plan.ts';
import { runFailover, type RunFailoverOptions } from '../../src/controlplane/failover/run.ts';
import { abortOperation, resumeOperation } from '../../src/controlplane/operation/control.ts';
import { listOperations } from '../../src/controlplane/operation/journal.ts';
import { CapstanError } from '../../src/domain/errors.ts';
import type { OperationRecord } from '../../src/domain/operation-records.ts';
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

/** The old leader's region is cut: its members don't answer, `c` in madrid does. */
async function prepare(options: Parameters<ScriptedCluster['seed']>[0] = {}): Promise<void> {
  cluster = new ScriptedCluster(etcd);
  await cluster.seed(options);
  for (const member of ['a', 'b', 'd']) await cluster.silence(member);
}

const request = () => ({ etcd, keys: cluster.keys, cluster: CLUSTER, region: 'madrid' });
const run = (over: Partial<RunFailoverOptions> = {}) => runFailover({ ...request(), actor: 'sre', ...over });
const control = (id: string) => ({ etcd, keys: cluster.keys, id, actor: 'another' });
const stepOf = ({ steps }: OperationRecord, name: string) =>
  steps.findLast((step) => step.name === name)?.result ?? {};
const authority = async () => (await cluster.view()).authority?.value;
const active = () =>
  eventually('an active operation', async () => (await cluster.view()).activeOperation?.value);

async function refusalOf(work: Promise<unknown>): Promise<CapstanError> {
  const error: unknown = await work.then(
    () => new Error('it was not refused'),
    (reason: unknown) => reason,
  );
  if (error instanceof CapstanError) return error;
  throw error;
}

/** Its monotonic time stands still until the test moves it; waiting costs real milliseconds only. */
function steppedClock(): Clock & { now: number } {
  const stepped = {
    ...systemClock,
    now: 0,
    monotonicMs: () => stepped.now,
    sleep: (_ms: number, signal?: AbortSignal) => systemClock.sleep(5, signal),
  };
  return stepped;
}

/** Resolves once the waiting step has been looked at again so often that a wait which is over would have ended. */
function looks() {
  let count = 0;
  return {
    onProgress: ({ state }: { readonly state: string }) => {
      if (state === 'waiting') count += 1;
    },
    more: async () => {
      const before = count;
      await eventually('looks', () => (count >= before + 5 ? true : undefined));
    },
  };
}

describe('a failover to another region', () => {
  it('proves the fence before it freezes, decides there, and commits the epoch with the authority', async () => {
    await prepare();
    cluster.scripts['a'] = { stops: true };
    await cluster.start();
    const { plan } = await readFailoverPlan(request());
    expect(plan).toMatchObject({ path: 'regional', region: 'madrid', refusals: [] });
    expect(plan.loss.forecast).toMatchObject({
      known: 0,
      possible: 50,
      exposureMs: 4_000,
      verdict: 'within',
    });

    const { operation } = await run({ planHash: plan.hash });

    const steps = ['fence', 'proof', 'freeze', 'decide', 'promote', 'verify', 'open', 'settle'];
    expect(operation.steps.map(({ name }) => name)).toEqual(steps);
    expect(operation).toMatchObject({ status: 'done', error: null });
    expect(stepOf(operation, 'proof')).toMatchObject({ kind: 'agent-report', holds: true });
    const view = await cluster.view();
    expect(view.authority?.value).toMatchObject({ term: TERM + 1, phase: 'open', leader: 'c' });
    expect(view.authority?.value).not.toHaveProperty('freeze');
    expect(view.membership?.value).toEqual({
      epoch: 2,
      members: {
        a: { region: 'new-york', role: 'observer' },
        b: { region: 'new-york', role: 'observer' },
        c: { region: 'madrid', role: 'voter' },
        d: { region: 'new-york', role: 'observer' },
      },
    });
    expect(view.inSync?.value).toMatchObject({ term: TERM + 1, epoch: 2, voters: [], degraded: true });
    expect(view.activeOperation).toBeUndefined();
    const log = (await listAudit(etcd, cluster.keys)).map(({ action }) => action);
    expect(log).toEqual(['failover.start', 'failover.proof', 'membership.change', 'failover.finish']);
  });

  it('records at the decision who may hold more than the prefix, and the history tells it', async () => {
    await prepare();
    cluster.scripts['a'] = { stops: true };
    // `b` is frozen at the prefix, `d` beyond it.
    cluster.scripts['b'] = {};
    cluster.scripts['d'] = { replayedLsn: '0/6000000' };
    cluster.scripts['c'] = { positions: { '184': '982436' } };
    await cluster.start();
    const { operation } = await run();
    const loss = (await cluster.view()).losses.get(operation.id)?.value;
    expect(loss).toMatchObject({
      cluster: CLUSTER,
      formerTerm: TERM,
      term: TERM + 1,
      lsn: '0/5000000',
      positions: { '184': '982436' },
      voters: [{ member: 'b' }, { member: 'd' }],
      status: 'open',
      lost: null,
    });
    expect(Object.keys(loss?.members ?? {}).toSorted()).toEqual(['a', 'd']);
    expect(loss?.members['a']).toEqual({ state: 'pending', incarnation: 'a-1', found: null, waived: null });
    expect(stepOf(operation, 'decide')).toMatchObject({
      loss: { known: 5, shards: [{ shard: 184, known: 5 }] },
    });
    const terms = await clusterHistory(etcd, cluster.keys, CLUSTER);
    expect(terms.at(-1)).toMatchObject({
      leader: 'c',
      rtoMaxMs: 600_000,
      faultToServingMs: expect.any(Number),
      loss: { known: 5, status: 'open', lost: null, accepted: null },
    });
  });

  it('forecasts its loss over the budget or not known as a refusal that names the flag', async () => {
    await prepare();
    await cluster.progress('c', {
      peak: null,
      positions: { '184': '982400' },
      replayedUntil: new Date(0).toISOString(),
    });
    const over = await refusalOf(run());
    expect(over).toMatchObject({ code: 'loss_over_budget', exit: 4 });
    expect(over.next).toBe('capstan failover run c1 --region madrid --accept-loss 91');
    expect(await refusalOf(run({ acceptLoss: 90 }))).toMatchObject({ code: 'loss_over_budget' });
    await etcd.transact([], [{ kind: 'delete', key: cluster.keys.progress(CLUSTER, 'a') }]);
    const unknown = await refusalOf(run());
    expect(unknown.code).toBe('loss_over_budget');
    expect(unknown.message).toMatch(/not known.*a has published no progress/);
    expect(await authority()).toMatchObject({ term: TERM, phase: 'open', leader: 'a' });
    expect(await listOperations({ etcd, keys: cluster.keys })).toEqual([]);
  });

  it('runs with the loss that was accepted, which stays on record', async () => {
    await prepare();
    cluster.scripts['a'] = { stops: true };
    cluster.scripts['c'] = { positions: { '184': '982400' } };
    await cluster.progress('c', {
      peak: null,
      positions: { '184': '982400' },
      replayedUntil: new Date(0).toISOString(),
    });
    await cluster.start();
    const { operation } = await run({ acceptLoss: 91 });
    expect(operation).toMatchObject({ status: 'done', approvals: ['accept-loss:91'] });
    expect(stepOf(operation, 'decide')).toMatchObject({ loss: { known: 41, accepted: 91 } });
  });

  it.each([
    ['new-york', 'region_of_leader'],
    ['lisbon', 'region_without_member'],
  ])('to %s is refused: %s', async (region, code) => {
    await prepare();
    expect(await refusalOf(run({ region }))).toMatchObject({ code, exit: 4 });
  });
});

describe('the fence proof', () => {
  it('of an attestation waits for nothing, and says who gave it', async () => {
    await prepare();
    await cluster.start();
    const clock = steppedClock();
    const { operation } = await run({ attestIsolated: 'power is off, says the site', clock });
    expect(stepOf(operation, 'proof')).toMatchObject({
      kind: 'attested',
      by: 'sre',
      words: 'power is off, says the site',
    });
    const [entry] = await listAudit(etcd, cluster.keys, { action: 'failover.proof' });
    expect(entry).toMatchObject({ actor: 'sre', reason: 'sre attests: power is off, says the site' });
  });

  it('of a waited lease counts from the fence, and after a resume in full again', async () => {
    await prepare();
    await cluster.start();
    const clock = steppedClock();
    clock.now = 1_000;
    const first = looks();
    const ctrlC = new AbortController();
    const stopped = refusalOf(run({ clock, signal: ctrlC.signal, onProgress: first.onProgress }));
    await first.more();
    clock.now += 3_299;
    await first.more();
    expect(await authority()).toMatchObject({ phase: 'fenced', freeze: 'voters' });
    ctrlC.abort();
    expect(await stopped).toMatchObject({ code: 'operation_interrupted' });

    // As if this host had slept meanwhile: what passed before the take-over doesn't count.
    clock.now += 60_000;
    const second = looks();
    const resumed = resumeOperation({ ...control(await active()), clock, onProgress: second.onProgress });
    await second.more();
    clock.now += 3_299;
    await second.more();
    expect(await authority()).toMatchObject({ phase: 'fenced', freeze: 'voters' });
    clock.now += 1;
    const { operation } = await resumed;
    expect(stepOf(operation, 'proof')).toMatchObject({ kind: 'lease-waited', neededMs: 3_300 });
    expect(operation.status).toBe('done');
  });

  it('of the longer right is waited for when the contract’s is shorter than the lease’s own', async () => {
    await prepare({ contract: { lease: { ttlMs: 300, renewEveryMs: 100, marginMs: 50, driftMs: 50 } } });
    await cluster.start();
    const clock = steppedClock();
    const seen = looks();
    const running = run({ clock, onProgress: seen.onProgress });
    await seen.more();
    clock.now += 3_049;
    await seen.more();
    expect(await authority()).toMatchObject({ phase: 'fenced' });
    clock.now += 1;
    expect(stepOf((await running).operation, 'proof')).toMatchObject({ neededMs: 3_050 });
  });

  it.each([
    ['another term', { term: TERM }],
    ['another operation', { operation: 'failover-0' }],
    ['another incarnation', { incarnation: 'a-0' }],
  ])('does not count a stop report of %s', async (_, other) => {
    await prepare();
    await cluster.start();
    const clock = steppedClock();
    const seen = looks();
    const ctrlC = new AbortController();
    const stopped = refusalOf(run({ clock, signal: ctrlC.signal, onProgress: seen.onProgress }));
    const operation = await active();
    const report = { term: TERM + 1, operation, member: 'a', incarnation: 'a-1', stoppedAt: '', ...other };
    await cluster.put(cluster.keys.stopReport(CLUSTER, 'a'), report);
    await seen.more();
    expect(await authority()).toMatchObject({ phase: 'fenced', freeze: 'voters' });
    ctrlC.abort();
    await stopped;
    await abortOperation(control(operation));
    expect(await authority()).toMatchObject({ term: TERM + 2, phase: 'open', leader: 'a' });
    expect(await authority()).not.toHaveProperty('freeze');
  });

  it('of frozen voters holds as in region', async () => {
    await prepare();
    cluster.scripts['d'] = {};
    await cluster.start();
    const { operation } = await run({ clock: steppedClock() });
    expect(stepOf(operation, 'proof')).toMatchObject({ kind: 'frozen-voters', frozen: [{ member: 'd' }] });
  });
});

/** The target turns out to hold far less than its agent had published. */
async function exceeded(): Promise<string> {
  await prepare();
  cluster.scripts['a'] = { stops: true };
  cluster.scripts['c'] = { positions: { '184': '982341' } };
  await cluster.start();
  const stop = await refusalOf(run());
  const id = await active();
  expect(stop).toMatchObject({
    code: 'loss_exceeds_plan',
    exit: 4,
    next: `capstan operation resume ${id} --accept-loss 150, or capstan operation abort ${id}`,
    data: { known: 100, possible: 50, allowed: 85 },
  });
  return id;
}

describe('a loss above what was foreseen and accepted', () => {
  it('asks a person: nothing is decided, nothing is recorded as lost, no agent adopts it', async () => {
    const id = await exceeded();
    const view = await cluster.view();
    expect(view.authority?.value).toMatchObject({ phase: 'fenced', leader: null });
    expect(view.losses.size).toBe(0);
    expect(await refusalOf(resumeOperation(control(id)))).toMatchObject({ code: 'loss_exceeds_plan' });
    expect(await refusalOf(resumeOperation({ ...control(id), acceptLoss: 139 }))).toMatchObject({
      code: 'loss_exceeds_plan',
    });
    await abortOperation(control(id));
    expect(await authority()).toMatchObject({ term: TERM + 2, leader: 'a', phase: 'open' });
  });

  it('goes on once somebody accepts it, which is recorded and audited', async () => {
    const id = await exceeded();
    const { operation } = await resumeOperation({ ...control(id), acceptLoss: 150 });
    expect(operation).toMatchObject({ status: 'done', approvals: ['accept-loss:150'] });
    const [entry] = await listAudit(etcd, cluster.keys, { action: 'failover.take-over' });
    expect(entry).toMatchObject({ actor: 'another', after: { approved: ['accept-loss:150'] } });
  });

  it('can not be accepted for what has no loss to accept', async () => {
    await prepare();
    for (const member of ['b', 'd']) {
      cluster.scripts[member] = {};
      await cluster.heartbeat(member);
    }
    await cluster.start();
    const ctrlC = new AbortController();
    const inRegion = { etcd, keys: cluster.keys, cluster: CLUSTER, actor: 'sre' };
    const onProgress = ({ step }: { readonly step: string }) => step === 'freeze' && ctrlC.abort();
    await refusalOf(runFailover({ ...inRegion, signal: ctrlC.signal, onProgress }));
    const id = await active();
    expect(await refusalOf(resumeOperation({ ...control(id), acceptLoss: 1 }))).toMatchObject({
      code: 'loss_not_open',
      exit: 4,
    });
    expect((await resumeOperation(control(id))).operation.status).toBe('done');
  });
});
