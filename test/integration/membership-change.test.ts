import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/clock/system-clock.ts';
import { loadContract } from '../../src/config/contract.ts';
import type { ClusterConfig } from '../../src/config/estate-config.ts';
import { listAudit } from '../../src/controlplane/audit.ts';
import { type ClusterView, readClusterView } from '../../src/controlplane/cluster-view.ts';
import { createCluster } from '../../src/controlplane/create-cluster.ts';
import { initEstate } from '../../src/controlplane/init.ts';
import { Keys } from '../../src/controlplane/keys.ts';
import { openBootstrap } from '../../src/controlplane/leader-records.ts';
import { changeMembership } from '../../src/controlplane/membership/change.ts';
import type { MembershipChanges } from '../../src/controlplane/membership/next-membership.ts';
import { Transaction } from '../../src/controlplane/store.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';

let server: TestEtcd;
let etcd: EtcdPort;
let keys: Keys;
let estates = 0;

beforeAll(async () => {
  server = await startEtcd();
  etcd = await server.open();
});
afterAll(async () => {
  etcd.close();
  await server.stop();
});

const actor = 'tester@here';
const c1: ClusterConfig = {
  homeRegion: 'new-york',
  bootstrapMember: 'a',
  members: {
    a: {
      region: 'new-york',
      role: 'voter',
      dataDir: '/nowhere',
      listen: '127.0.0.1:1',
      address: { default: '127.0.0.1:1' },
    },
  },
};

const read = async (): Promise<ClusterView> => {
  const view = await readClusterView(etcd, keys, 'c1');
  if (view === undefined) throw new Error('no cluster');
  return view;
};

beforeEach(async () => {
  estates += 1;
  keys = new Keys(`estate-${estates}`);
  const contract = await loadContract(new URL('../../contract.yaml', import.meta.url).pathname);
  const config = { clusters: { c1 } };
  await initEstate({ etcd, keys, config, contract, actor });
  await createCluster({ etcd, keys, config, cluster: 'c1', actor });
  const { authority } = await read();
  if (authority === undefined) throw new Error('no authority');
  await openBootstrap({ etcd, keys, cluster: 'c1', authority, member: 'a', actor });
});

const LEARNER = { region: 'new-york', role: 'learner' } as const;

const change = (view: ClusterView, changes: MembershipChanges, operation = 'op-1', holdsCluster = false) => {
  const transaction = new Transaction(etcd);
  const about = { keys, view, changes, actor, reason: 'test', operation, holdsCluster, clock: systemClock };
  return { after: changeMembership(transaction, about), commit: () => transaction.commit() };
};

test('a change is committed one epoch later, with its audit entry, and once', async () => {
  const view = await read();
  const first = change(view, { b: LEARNER });
  const second = change(view, { c: LEARNER });
  expect([await first.commit(), await second.commit()]).toEqual([true, false]);
  expect((await read()).membership?.value).toEqual(first.after);
  expect(first.after).toMatchObject({ epoch: 2, members: { a: { role: 'voter' }, b: LEARNER } });
  const [entry, ...more] = await listAudit(etcd, keys, { action: 'membership.change' });
  expect(more).toEqual([]);
  expect(entry).toMatchObject({ actor, target: 'c1', operation: 'op-1', after: first.after });
});

test('a change that is made already writes nothing', async () => {
  const view = await read();
  expect(await change(view, { b: null }).commit()).toBe(true);
  expect(await listAudit(etcd, keys, { action: 'membership.change' })).toEqual([]);
  expect((await read()).membership?.value.epoch).toBe(1);
});

test('a failover that began after the view was read makes the change fail', async () => {
  const view = await read();
  await new Transaction(etcd).put(keys.activeOperation('c1'), 'failover-1').commit();
  expect(await change(view, { b: LEARNER }).commit()).toBe(false);
  expect((await read()).membership?.value.epoch).toBe(1);
});

test('whoever leads under another term meanwhile, the change fails', async () => {
  const view = await read();
  const authority = view.authority?.value;
  if (authority === undefined) throw new Error('no authority');
  await new Transaction(etcd).put(keys.authority('c1'), { ...authority, term: 2 }).commit();
  expect(await change(view, { b: LEARNER }).commit()).toBe(false);
});

test('while an operation holds the cluster only that one may change its members', async () => {
  await new Transaction(etcd).put(keys.activeOperation('c1'), 'failover-1').commit();
  const view = await read();
  expect(() => change(view, { b: LEARNER })).toThrow(expect.objectContaining({ code: 'operation_active' }));
  expect(() => change(view, { b: LEARNER }, 'failover-2', true)).toThrow(
    expect.objectContaining({ code: 'operation_active' }),
  );
  expect(await change(view, { b: LEARNER }, 'failover-1', true).commit()).toBe(true);
});

test('a cluster that is fenced keeps its members', async () => {
  const { authority } = await read();
  const fenced = { ...authority?.value, phase: 'fenced', leader: null };
  await new Transaction(etcd).put(keys.authority('c1'), fenced).commit();
  const view = await read();
  expect(() => change(view, { b: LEARNER })).toThrow(expect.objectContaining({ code: 'cluster_not_open' }));
});
