import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { listAudit } from '../../src/controlplane/audit.ts';
import { abortOperation, resumeOperation } from '../../src/controlplane/operation/control.ts';
import { runRejoin } from '../../src/controlplane/rejoin/run.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { codeOf, onlyOperation, outcomeOf } from '../support/coordinators.ts';
import { eventually, startEtcd, type TestEtcd } from '../support/etcd.ts';
import { faultyEtcd, Killed } from '../support/faulty-etcd.ts';
import { lossRecord } from '../support/losses.ts';
import { REJOINING, ScriptedRejoin } from '../support/scripted-member.ts';

/** The writes of an undisturbed run: begin, salvage, sign-off, learner, restore, catch-up, epoch, vote. */
const WRITES = [1, 2, 3, 4, 5, 6, 7, 8];
const EPOCH = 7;

let server: TestEtcd;
let etcd: EtcdPort;
let cluster: ScriptedRejoin;

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
  cluster = new ScriptedRejoin(etcd);
  await cluster.seed();
  await cluster.start();
}

const run = (port: EtcdPort) =>
  runRejoin({
    etcd: port,
    keys: cluster.keys,
    cluster: 'c1',
    member: REJOINING,
    method: 'rewind',
    actor: 'test',
  });
const control = (id: string) => ({ etcd, keys: cluster.keys, id, actor: 'another' });

async function expectDone(): Promise<void> {
  expect(await onlyOperation(etcd, cluster.keys)).toMatchObject({
    status: 'done',
    phase: 'done',
    error: null,
  });
  const view = await cluster.view();
  expect(view.membership?.value).toMatchObject({ epoch: 3, members: { a: { role: 'voter' } } });
  expect(view.inSync?.value.voters).toEqual([{ member: 'a', incarnation: 'a-2' }]);
  expect([view.rejoins.size, view.salvaged.size, view.restored.size]).toEqual([0, 0, 0]);
  expect(view.activeOperation).toBeUndefined();
  const log = (await listAudit(etcd, cluster.keys)).map(({ action }) => action);
  expect(log.filter((action) => action === 'rejoin.start')).toHaveLength(1);
  expect(log.filter((action) => action === 'rejoin.finish')).toHaveLength(1);
  expect(log.filter((action) => action === 'membership.change')).toHaveLength(2);
}

const killings = WRITES.flatMap((write) =>
  (['die-before', 'die-after'] as const).map((fault) => ({ write, fault })),
);

async function killedAt(write: number, fault: 'die-before' | 'die-after'): Promise<void> {
  await prepare();
  const port = faultyEtcd(etcd, (count) => (count === write ? fault : undefined));
  expect(await outcomeOf(run(port))).toBeInstanceOf(Killed);
}

it('a rejoin that is refused changes nothing but the audit log, which says why', async () => {
  await prepare();
  const about = { etcd, keys: cluster.keys, cluster: 'c1', method: 'rewind', actor: 'test' } as const;
  const ofAnother = runRejoin({ ...about, member: REJOINING, planHash: 'f00' });
  expect(codeOf(await outcomeOf(ofAnother))).toBe('plan_drifted');
  const ofNobody = runRejoin({ ...about, member: 'nobody' });
  expect(codeOf(await outcomeOf(ofNobody))).toBe('member_not_found');
  expect(await onlyOperation(etcd, cluster.keys)).toBeUndefined();
  const said = (await listAudit(etcd, cluster.keys)).filter(({ action }) => action === 'rejoin.start');
  expect(said.map(({ outcome, target, reason }) => [outcome, target, reason?.split(':')[0]])).toEqual([
    ['refused', REJOINING, 'plan_drifted'],
    ['refused', 'nobody', 'member_not_found'],
  ]);
});

describe('a coordinator of a rejoin that is killed', () => {
  it.each(killings)('at write $write ($fault) is finished by another', async ({ write, fault }) => {
    await killedAt(write, fault);
    const left = await onlyOperation(etcd, cluster.keys);
    expect(left === undefined).toBe(write === 1 && fault === 'die-before');
    await (left === undefined ? run(etcd) : resumeOperation(control(left.id)));
    await expectDone();
  });

  const begun = killings.filter(({ write, fault }) => write > 1 || fault === 'die-after');
  const undecided = ({ write, fault }: (typeof killings)[number]) =>
    write < EPOCH - 1 || (write === EPOCH - 1 && fault === 'die-before');

  it.each(begun.filter(undecided))(
    'at write $write ($fault) can be given up, and begun anew',
    async ({ write, fault }) => {
      await killedAt(write, fault);
      const left = (await onlyOperation(etcd, cluster.keys))?.id ?? '';
      expect(await abortOperation(control(left))).toMatchObject({ changed: true });
      const view = await cluster.view();
      expect(view.rejoins.size).toBe(0);
      expect(view.membership?.value.members['a']?.role).not.toBe(undefined);
      expect(await abortOperation(control(left))).toMatchObject({ changed: false });
    },
  );

  it.each(begun.filter((killing) => !undecided(killing)))(
    'at write $write ($fault) only goes forward',
    async ({ write, fault }) => {
      await killedAt(write, fault);
      const left = await onlyOperation(etcd, cluster.keys);
      const code = left?.status === 'done' ? 'operation_finished' : 'operation_past_no_return';
      expect(codeOf(await outcomeOf(abortOperation(control(left?.id ?? ''))))).toBe(code);
    },
  );

  it.each(WRITES)('finds out whether write %i stood when its reply was lost', async (write) => {
    await prepare();
    const port = faultyEtcd(etcd, (count) => (count === write ? 'lose-reply' : undefined));
    expect(await outcomeOf(run(port))).toBeUndefined();
    await expectDone();
  });
});

describe('a failover in the middle of a rejoin', () => {
  it('makes it ask anew under the new term, whatever it had asked for', async () => {
    for (const write of [1, 2, 3, 4]) {
      await killedAt(write, 'die-after');
      cluster.deaf = true;
      await cluster.lead(5);
      cluster.deaf = false;
      await resumeOperation(control((await onlyOperation(etcd, cluster.keys))?.id ?? ''));
      const view = await cluster.view();
      expect(view.inSync?.value).toMatchObject({ term: 5, voters: [{ member: 'a' }] });
      expect(await onlyOperation(etcd, cluster.keys)).toMatchObject({ status: 'done' });
      await cluster.stop();
    }
  });

  it('that may have lost decisions sends it back to salvage, and stops it before the rewind', async () => {
    await killedAt(3, 'die-after');
    const loss = lossRecord({
      positions: {},
      term: 5,
      members: { a: { state: 'pending', incarnation: 'a-1', found: null, waived: null } },
    });
    await cluster.put(cluster.keys.loss('c1', loss.operation), loss);
    cluster.deaf = true;
    const id = (await onlyOperation(etcd, cluster.keys))?.id ?? '';
    const resumed = outcomeOf(resumeOperation(control(id)));
    await eventually('it is back at salvage', async () =>
      (await onlyOperation(etcd, cluster.keys))?.phase === 'salvage' ? true : undefined,
    );
    await cluster.put(cluster.keys.loss('c1', loss.operation), {
      ...loss,
      members: { a: { state: 'salvaged', incarnation: 'a-1', found: 3, waived: null } },
    });
    cluster.deaf = false;
    await cluster.act();
    expect(codeOf(await resumed)).toBe('loss_not_signed_off');
    const view = await cluster.view();
    expect(view.membership?.value.members['a']?.role).toBe('voter');
    expect(view.rejoins.get('a')?.value.stage).toBe('salvage');
  });

  it('waits at the epoch while a failover holds the cluster', async () => {
    await killedAt(6, 'die-after');
    await cluster.put(cluster.keys.activeOperation('c1'), 'failover-x');
    const id = (await onlyOperation(etcd, cluster.keys))?.id ?? '';
    expect(codeOf(await outcomeOf(resumeOperation(control(id))))).toBe('rejoin_overdue');
    expect((await cluster.view()).membership?.value.members['a']?.role).toBe('learner');
    await etcd.transact([], [{ kind: 'delete', key: cluster.keys.activeOperation('c1') }]);
    await resumeOperation(control(id));
    await expectDone();
  });
});

describe('a rejoin', () => {
  it('admits one a member', async () => {
    await killedAt(2, 'die-after');
    expect(codeOf(await outcomeOf(run(etcd)))).toBe('rejoin_active');
  });

  it('of a member whose agent is silent waits no longer than the contract says', async () => {
    await prepare();
    cluster.deaf = true;
    const running = outcomeOf(run(etcd));
    await eventually('it is begun', () => onlyOperation(etcd, cluster.keys));
    await etcd.transact([], [{ kind: 'delete', key: cluster.keys.heartbeat('c1', 'a') }]);
    expect(codeOf(await running)).toBe('rejoin_overdue');
  });
});
