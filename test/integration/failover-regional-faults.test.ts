import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { listAudit } from '../../src/controlplane/audit.ts';
import { runFailover } from '../../src/controlplane/failover/run.ts';
import { abortOperation, resumeOperation } from '../../src/controlplane/operation/control.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { codeOf, onlyOperation, outcomeOf } from '../support/coordinators.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { faultyEtcd, Killed } from '../support/faulty-etcd.ts';
import { CLUSTER, ScriptedCluster, TERM } from '../support/scripted-agents.ts';
import { sampledFaults } from '../support/proof.ts';

/** The writes of an undisturbed run: fence, proof, freeze, decide, promote, verify, open, settle. */
const WRITES = [1, 2, 3, 4, 5, 6, 7, 8];
const PROOF = 2;
const DECIDE = 4;

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

/** Of the old region only the leader's agent is heard: it reports its end. */
async function prepare(): Promise<void> {
  cluster = new ScriptedCluster(etcd);
  await cluster.seed();
  for (const member of ['a', 'b', 'd']) await cluster.silence(member);
  cluster.scripts['a'] = { stops: true };
  await cluster.start();
}

const run = (port: EtcdPort) =>
  runFailover({ etcd: port, keys: cluster.keys, cluster: CLUSTER, region: 'madrid', actor: 'test' });
const control = (id: string) => ({ etcd, keys: cluster.keys, id, actor: 'another' });

/** One leader in madrid, one new epoch, one record of the loss; nothing left behind, nothing audited twice. */
async function expectDone(): Promise<void> {
  const view = await cluster.view();
  expect(view.authority?.value).toMatchObject({ term: TERM + 1, phase: 'open', leader: 'c' });
  expect(view.membership?.value).toMatchObject({ epoch: 2, members: { c: { role: 'voter' } } });
  expect(view.inSync?.value).toMatchObject({ term: TERM + 1, epoch: 2, degraded: true });
  expect(view.activeOperation).toBeUndefined();
  expect([...view.losses.values()].map(({ value }) => value.status)).toEqual(['open']);
  expect(await onlyOperation(etcd, cluster.keys)).toMatchObject({
    status: 'done',
    phase: 'done',
    error: null,
  });
  const done = (await listAudit(etcd, cluster.keys)).filter(({ outcome }) => outcome === 'done');
  const log = done.map(({ action }) => action);
  for (const action of ['start', 'proof', 'finish'])
    expect(log.filter((one) => one === `failover.${action}`)).toHaveLength(1);
  expect(log.filter((one) => one === 'membership.change')).toHaveLength(1);
}

/** Nothing of the attempt is left but the terms. */
async function expectGivenBack(): Promise<void> {
  const view = await cluster.view();
  expect(view.authority?.value).toMatchObject({
    term: TERM + 2,
    phase: 'open',
    leader: 'a',
    operation: null,
  });
  expect(view.authority?.value).not.toHaveProperty('freeze');
  expect(view.membership?.value.epoch).toBe(1);
  expect(view.losses.size).toBe(0);
  expect(view.activeOperation).toBeUndefined();
}

describe('a coordinator of a regional failover that is killed', () => {
  const killings = sampledFaults(
    'a coordinator that is killed',
    WRITES.flatMap((write) => (['die-before', 'die-after'] as const).map((fault) => ({ write, fault }))),
    DECIDE,
  );
  const killAt = ({ write, fault }: (typeof killings)[number]) =>
    faultyEtcd(etcd, (count) => (count === write ? fault : undefined));

  it.each(killings)('at write $write ($fault) is finished by another', async (killing) => {
    await prepare();
    expect(await outcomeOf(run(killAt(killing)))).toBeInstanceOf(Killed);
    const left = await onlyOperation(etcd, cluster.keys);
    await (left === undefined ? run(etcd) : resumeOperation(control(left.id)));
    await expectDone();
  });

  const undecided = ({ write, fault }: (typeof killings)[number]) =>
    write > 1 && (write < DECIDE || (write === DECIDE && fault === 'die-before'));

  it.each(killings.filter(undecided))('at write $write ($fault) can be aborted', async (killing) => {
    await prepare();
    expect(await outcomeOf(run(killAt(killing)))).toBeInstanceOf(Killed);
    await abortOperation(control((await onlyOperation(etcd, cluster.keys))?.id ?? ''));
    await expectGivenBack();
  });

  it.each([4, 5, 6, 7])('after write %i has decided: an abort is refused', async (write) => {
    await prepare();
    expect(await outcomeOf(run(killAt({ write, fault: 'die-after' })))).toBeInstanceOf(Killed);
    const id = (await onlyOperation(etcd, cluster.keys))?.id ?? '';
    expect(codeOf(await outcomeOf(abortOperation(control(id))))).toBe('operation_past_no_return');
    expect((await cluster.view()).losses.size).toBe(1);
  });
});

describe('a write of a regional failover whose reply was lost', () => {
  const losses = sampledFaults(
    'a write whose reply was lost',
    WRITES.flatMap((write) =>
      (['lose-reply', 'lose-request', 'very-late'] as const).map((fault) => ({ write, fault })),
    ),
    DECIDE,
  );

  it.each(losses)('write $write ($fault) takes effect exactly once', async ({ write, fault }) => {
    await prepare();
    const port = faultyEtcd(etcd, (count) => (count === write ? fault : undefined));
    const { operation } = await run(port);
    await port.settled();
    expect(operation.steps).toHaveLength(WRITES.length);
    expect(await onlyOperation(etcd, cluster.keys)).toEqual(operation);
    await expectDone();
  });
});

/** Stops the first before a write, for as long as the body takes. */
async function whilePausedAt(write: number, body: (id: string) => Promise<void>): Promise<unknown> {
  await prepare();
  const reached = Promise.withResolvers<undefined>();
  const resumed = Promise.withResolvers<undefined>();
  const port = faultyEtcd(etcd, (count) => {
    if (count !== write) return undefined;
    reached.resolve(undefined);
    return resumed.promise;
  });
  const paused = outcomeOf(run(port));
  await reached.promise;
  await body((await onlyOperation(etcd, cluster.keys))?.id ?? '');
  resumed.resolve(undefined);
  return paused;
}

describe('two coordinators of a regional failover', () => {
  it.each(WRITES.slice(1))(
    'one that is paused before write %i and resumed later writes nothing',
    async (write) => {
      const outcome = await whilePausedAt(write, async (id) => {
        await resumeOperation(control(id));
      });
      expect(codeOf(outcome)).toBe('operation_superseded');
      await expectDone();
    },
  );

  it.each([PROOF, DECIDE])(
    'a pause before write %i during which it was aborted changes nothing',
    async (write) => {
      const outcome = await whilePausedAt(write, async (id) => {
        await abortOperation(control(id));
      });
      expect(codeOf(outcome)).toBe('operation_superseded');
      await expectGivenBack();
    },
  );

  it('that begin at once: one runs, the other is refused', async () => {
    await prepare();
    const errors = await Promise.all([outcomeOf(run(etcd)), outcomeOf(run(etcd))]);
    expect(errors.filter((error) => error !== undefined).map(codeOf)).toEqual(['operation_active']);
    await expectDone();
  });
});

const rewrite = async (key: string) => {
  const kv = await etcd.get(key);
  if (kv !== undefined) await cluster.put(key, JSON.parse(kv.value));
};

describe('a record of a regional failover that changes right before it is relied on', () => {
  it.each([
    ['stop report', PROOF, () => cluster.keys.stopReport(CLUSTER, 'a')],
    ['membership', PROOF, () => cluster.keys.membership(CLUSTER)],
    ['frozen report', DECIDE, () => cluster.keys.frozenReport(CLUSTER, 'c')],
    ['member record', DECIDE, () => cluster.keys.member(CLUSTER, 'c')],
    ['in-sync record', DECIDE, () => cluster.keys.inSync(CLUSTER)],
    ['membership', 7, () => cluster.keys.membership(CLUSTER)],
  ] as const)('the %s at write %i: it is read again, and nothing happens twice', async (_, write, keyOf) => {
    await prepare();
    const port = faultyEtcd(etcd, async (count) => {
      if (count === write) await rewrite(keyOf());
      return undefined;
    });
    const { operation } = await run(port);
    expect(operation.status).toBe('done');
    await expectDone();
  });

  it('a candidate that was cloned anew after its freeze is not decided for', async () => {
    await prepare();
    const port = faultyEtcd(etcd, async (count) => {
      if (count === DECIDE) await cluster.register('c', 'c-2');
      return undefined;
    });
    const ended = outcomeOf(run(port));
    expect(codeOf(await ended)).toBe('freeze_incomplete');
    expect((await cluster.view()).losses.size).toBe(0);
    await abortOperation(control((await onlyOperation(etcd, cluster.keys))?.id ?? ''));
    await expectGivenBack();
  });
});
