import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { listAudit } from '../../src/controlplane/audit.ts';
import { runFailover } from '../../src/controlplane/failover/run.ts';
import { abortOperation, resumeOperation } from '../../src/controlplane/operation/control.ts';
import { listOperations } from '../../src/controlplane/operation/journal.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { codeOf, onlyOperation, outcomeOf } from '../support/coordinators.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { type Fault, faultyEtcd, Killed } from '../support/faulty-etcd.ts';
import { CLUSTER, ScriptedCluster, TERM } from '../support/scripted-agents.ts';
import { sampledFaults } from '../support/proof.ts';

/** The writes of an undisturbed run: fence, freeze, proof, decide, promote, verify, open, settle. */
const WRITES = [1, 2, 3, 4, 5, 6, 7, 8];
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

async function prepare(): Promise<void> {
  cluster = new ScriptedCluster(etcd);
  await cluster.seed();
  await cluster.start();
}

const run = (port: EtcdPort, signal?: AbortSignal) =>
  runFailover({ etcd: port, keys: cluster.keys, cluster: CLUSTER, actor: 'test', signal });

const operations = () => listOperations({ etcd, keys: cluster.keys });

/** All that etcd holds of the estate, but for signs of life, which end with their process. */
const recorded = async () =>
  (await etcd.range(cluster.keys.prefix)).kvs.filter(
    ({ key }) => !key.startsWith(cluster.keys.coordinators(CLUSTER)),
  );

const control = (id: string, port: EtcdPort = etcd) => ({
  etcd: port,
  keys: cluster.keys,
  id,
  actor: 'another',
});

/** One leader, verified, under exactly the next term; nothing left behind. */
async function expectDone(): Promise<void> {
  const view = await cluster.view();
  expect(view.authority?.value).toMatchObject({ term: TERM + 1, phase: 'open', leader: 'b' });
  expect(view.inSync?.value).toMatchObject({ term: TERM + 1, degraded: true, voters: [] });
  expect(view.activeOperation).toBeUndefined();
  expect(await onlyOperation(etcd, cluster.keys)).toMatchObject({
    status: 'done',
    phase: 'done',
    error: null,
  });
  const log = (await listAudit(etcd, cluster.keys)).map(({ action }) => action);
  expect(log.filter((action) => action === 'failover.start')).toHaveLength(1);
  expect(log.filter((action) => action === 'failover.finish')).toHaveLength(1);
}

describe('a coordinator that is killed', () => {
  const killings = sampledFaults(
    'a coordinator that is killed',
    WRITES.flatMap((write) => (['die-before', 'die-after'] as const).map((fault) => ({ write, fault }))),
    DECIDE,
  );

  it.each(killings)('at write $write ($fault) is finished by another', async ({ write, fault }) => {
    await prepare();
    const port = faultyEtcd(etcd, (count) => (count === write ? fault : undefined));
    expect(await outcomeOf(run(port))).toBeInstanceOf(Killed);
    const left = await onlyOperation(etcd, cluster.keys);
    expect(left === undefined).toBe(write === 1 && fault === 'die-before');
    await (left === undefined ? run(etcd) : resumeOperation(control(left.id)));
    await expectDone();
  });

  const undecided = ({ write, fault }: (typeof killings)[number]) =>
    write > 1 && (write < DECIDE || (write === DECIDE && fault === 'die-before'));

  it.each(killings.filter(undecided))('at write $write ($fault) can be aborted', async ({ write, fault }) => {
    await prepare();
    const port = faultyEtcd(etcd, (count) => (count === write ? fault : undefined));
    expect(await outcomeOf(run(port))).toBeInstanceOf(Killed);
    await abortOperation(control((await onlyOperation(etcd, cluster.keys))?.id ?? ''));
    const view = await cluster.view();
    expect(view.authority?.value).toMatchObject({ term: TERM + 2, phase: 'open', leader: 'a' });
    expect(view.inSync?.value).toMatchObject({ voters: [{ member: 'b' }, { member: 'd' }], degraded: false });
    expect(view.activeOperation).toBeUndefined();
  });

  it.each(killings.filter((killing) => killing.write > 1 && !undecided(killing)))(
    'at write $write ($fault) has decided: an abort is refused',
    async ({ write, fault }) => {
      await prepare();
      const port = faultyEtcd(etcd, (count) => (count === write ? fault : undefined));
      expect(await outcomeOf(run(port))).toBeInstanceOf(Killed);
      const left = await onlyOperation(etcd, cluster.keys);
      const code = left?.status === 'done' ? 'operation_finished' : 'operation_past_no_return';
      const before = (await cluster.view()).authority;
      expect(codeOf(await outcomeOf(abortOperation(control(left?.id ?? ''))))).toBe(code);
      expect((await cluster.view()).authority).toEqual(before);
    },
  );

  it('again and again, after each single write, gets there in the end', async () => {
    await prepare();
    expect(await outcomeOf(run(faultyEtcd(etcd, () => 'die-after')))).toBeInstanceOf(Killed);
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const left = await onlyOperation(etcd, cluster.keys);
      if (left === undefined || left.status !== 'running') break;
      // The first write takes over, the second is a step.
      const port = faultyEtcd(etcd, (count) => (count === 2 ? 'die-after' : undefined));
      expect(await outcomeOf(resumeOperation(control(left.id, port)))).toBeInstanceOf(Killed);
    }
    await expectDone();
  });
});

describe("a write whose reply etcd didn't deliver", () => {
  const losses = sampledFaults(
    'a write whose reply was lost',
    WRITES.flatMap((write) =>
      (['lose-reply', 'lose-request', 'late', 'very-late'] as const).map((fault) => ({ write, fault })),
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

  it('is reported as unknown, naming the operation, when that can not be found out', async () => {
    await prepare();
    const port = faultyEtcd(etcd, (count) => (count >= 3 ? 'lose-request' : undefined));
    const error = await outcomeOf(run(port));
    const left = await onlyOperation(etcd, cluster.keys);
    expect(error).toMatchObject({
      code: 'etcd_outcome_unknown',
      exit: 5,
      next: `capstan operation show ${left?.id}`,
    });
    await resumeOperation(control(left?.id ?? ''));
    await expectDone();
  });
});

/** Moves the key's revision; its content stays, or names another operation where there was none. */
async function rewrite(key: string): Promise<void> {
  const kv = await etcd.get(key);
  await cluster.put(key, kv === undefined ? 'failover-0' : JSON.parse(kv.value));
}

describe('a record that changes right before it is relied on', () => {
  const keysOf: Readonly<Record<string, () => string>> = {
    authority: () => cluster.keys.authority(CLUSTER),
    membership: () => cluster.keys.membership(CLUSTER),
    'in-sync record': () => cluster.keys.inSync(CLUSTER),
    map: () => cluster.keys.map,
    'active operation': () => cluster.keys.activeOperation(CLUSTER),
  };

  it.each(Object.keys(keysOf))('the %s: nothing is fenced', async (name) => {
    await prepare();
    const port = faultyEtcd(etcd, async (count) => {
      if (count === 1) await rewrite(keysOf[name]?.() ?? '');
      return undefined;
    });
    const code = name === 'active operation' ? 'operation_active' : 'plan_drifted';
    expect(codeOf(await outcomeOf(run(port)))).toBe(code);
    expect((await cluster.view()).authority?.value).toMatchObject({ term: TERM, phase: 'open', leader: 'a' });
    expect(await operations()).toEqual([]);
  });

  it('the authority, by a hand that does not know of the operation: nothing is decided', async () => {
    await prepare();
    const port = faultyEtcd(etcd, async (count) => {
      const held = (await cluster.view()).authority?.value;
      if (count === DECIDE) await cluster.put(cluster.keys.authority(CLUSTER), { ...held, term: TERM + 9 });
      return undefined;
    });
    expect(codeOf(await outcomeOf(run(port)))).toBe('authority_mismatch');
    expect((await cluster.view()).authority?.value).toMatchObject({ term: TERM + 9, phase: 'fenced' });
  });
});

describe('two coordinators', () => {
  it.each(WRITES.slice(1))(
    'one that is paused before write %i and resumed later writes nothing more',
    async (write) => {
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
      const left = await onlyOperation(etcd, cluster.keys);
      await resumeOperation(control(left?.id ?? ''));
      const before = await recorded();
      resumed.resolve(undefined);
      expect(await paused).toMatchObject({
        code: 'operation_superseded',
        exit: 4,
        next: `capstan operation show ${left?.id}`,
      });
      expect(await recorded()).toEqual(before);
      await expectDone();
    },
  );

  it('that begin at once: one runs, the other is refused', async () => {
    await prepare();
    const errors = await Promise.all([outcomeOf(run(etcd)), outcomeOf(run(etcd))]);
    const refused = errors.filter((error) => error !== undefined);
    expect(refused.map(codeOf)).toEqual(['operation_active']);
    const log = await listAudit(etcd, cluster.keys);
    expect(log.filter(({ outcome }) => outcome === 'refused')).toHaveLength(1);
    expect((await cluster.view()).authority?.value).toMatchObject({ term: TERM + 1, leader: 'b' });
  });

  it('a pause before the decision during which it was aborted decides nothing', async () => {
    await prepare();
    const reached = Promise.withResolvers<undefined>();
    const resumed = Promise.withResolvers<undefined>();
    const port = faultyEtcd(etcd, (count) => {
      if (count !== DECIDE) return undefined;
      reached.resolve(undefined);
      return resumed.promise;
    });
    const paused = outcomeOf(run(port));
    await reached.promise;
    await abortOperation(control((await onlyOperation(etcd, cluster.keys))?.id ?? ''));
    resumed.resolve(undefined);
    expect(codeOf(await paused)).toBe('operation_superseded');
    expect((await cluster.view()).authority?.value).toMatchObject({
      term: TERM + 2,
      leader: 'a',
      phase: 'open',
    });
  });

  it('a frozen report that changes between the proof and the decision is judged again', async () => {
    await prepare();
    const port = faultyEtcd(etcd, async (count) => {
      if (count !== DECIDE) return undefined;
      const fenced = (await cluster.view()).authority?.value;
      // A clone made meanwhile: what `b` holds now is no longer what etcd recorded.
      cluster.scripts['b'] = { incarnation: 'b-2' };
      if (fenced !== undefined) await cluster.freeze('b', fenced);
      return undefined;
    });
    const { operation } = await run(port);
    expect(operation.steps.find(({ name }) => name === 'decide')?.result).toMatchObject({ leader: 'd' });
    expect((await cluster.view()).authority?.value).toMatchObject({ term: TERM + 1, leader: 'd' });
  });

  it.each([1, 2, 3, 4, 5, 6])(
    'several, killed and resumed at random (seed %i), open one leader once',
    async (from) => {
      await prepare();
      const faults: readonly (Fault | undefined)[] = ['die-before', 'die-after', 'lose-reply', 'very-late'];
      let seed = from * 7_919;
      const random = (below: number) => {
        seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
        return Math.floor((seed / 2_147_483_648) * below);
      };
      const unsteady = () => {
        const at = 1 + random(4);
        const fault = faults[random(faults.length)];
        return faultyEtcd(etcd, (count) => (count === at ? fault : undefined));
      };
      const ports = [unsteady()];
      await outcomeOf(run(ports[0] ?? etcd));
      for (let round = 0; round < 12; round += 1) {
        const left = await onlyOperation(etcd, cluster.keys);
        if (left === undefined) {
          await outcomeOf(run(unsteady()));
          continue;
        }
        const pair = [unsteady(), unsteady()];
        ports.push(...pair);
        await Promise.all(pair.map((port) => outcomeOf(resumeOperation(control(left.id, port)))));
      }
      await Promise.all(ports.map((port) => port.settled()));
      const left = await onlyOperation(etcd, cluster.keys);
      if (left?.status === 'running') await resumeOperation(control(left.id));
      expect((await onlyOperation(etcd, cluster.keys))?.status).toBe('done');
      await expectDone();
    },
  );
});
