import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type EstateWatch, watchCluster, watchEstate } from '../../src/controlplane/estate-watch.ts';
import { changeMap } from '../../src/controlplane/change-map.ts';
import { createCluster } from '../../src/controlplane/create-cluster.ts';
import { initEstate } from '../../src/controlplane/init.ts';
import { Keys } from '../../src/controlplane/keys.ts';
import type { WatchReport } from '../../src/controlplane/live-records.ts';
import { readMap } from '../../src/controlplane/shard-map.ts';
import { Transaction } from '../../src/controlplane/store.ts';
import { loadContract } from '../../src/config/contract.ts';
import type { ClusterConfig } from '../../src/config/estate-config.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { eventually, startEtcd, type TestEtcd } from '../support/etcd.ts';

let server: TestEtcd;
let etcd: EtcdPort;
let keys: Keys;
let estates = 0;
const actor = 'tester@here';
const c1: ClusterConfig = {
  homeRegion: 'new-york',
  bootstrapMember: 'a',
  members: {
    a: {
      region: 'new-york',
      role: 'voter',
      dataDir: '/x',
      listen: '127.0.0.1:1',
      address: { default: '127.0.0.1:1' },
    },
  },
};
const config = { clusters: { c1, c2: c1 } };

beforeAll(async () => {
  server = await startEtcd();
});
afterAll(() => server.stop());
beforeEach(async () => {
  etcd = await server.open({ timeoutMs: 1_000 });
  estates += 1;
  keys = new Keys(`watched-${estates}`);
  const contract = await loadContract(new URL('../../contract.yaml', import.meta.url).pathname);
  await initEstate({ etcd, keys, config, contract, actor, shardCount: 20 });
  await createCluster({ etcd, keys, config, cluster: 'c1', actor });
});
afterEach(() => etcd.close());

async function moveShard(shard: number, to: string) {
  const { map, shards } = await readMap(etcd, keys);
  const entry = shards.get(shard);
  if (entry === undefined) throw new Error('no shard');
  await changeMap({ etcd, keys, map, moves: [{ entry, cluster: to }], actor, reason: 'test' });
}

const beat = (term: number) =>
  new Transaction(etcd).put(keys.heartbeat('c1', 'a'), { member: 'a', term }).commit();

/** The map's version of every view; in each, the counter and the entries must belong together. */
function versionsSeen(watch: EstateWatch): number[] {
  const seen: number[] = [];
  watch.onChange(({ map, shards }) => {
    const version = map?.value.version ?? 0;
    expect(Math.max(...[...shards.values()].map(({ value }) => value.mapVersion))).toBe(version);
    seen.push(version);
  });
  return seen;
}

describe('watching an estate', () => {
  test('each transaction is seen whole, and in order', async () => {
    const watch = await watchEstate({ etcd, keys });
    const seen = versionsSeen(watch);
    for (const to of ['c2', 'c1', 'c2']) await moveShard(0, to);
    const view = await watch.until(({ map }) => map?.value.version === 4, { timeoutMs: 5_000 });
    expect(view.shards.get(0)?.value).toMatchObject({ cluster: 'c2', generation: 4 });
    // Changes that arrive together are shown together; none is shown in part or late.
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(4);
    await watch.close();
  });

  test('heartbeats change the view only where they are asked for', async () => {
    const quiet = await watchEstate({ etcd, keys });
    const loud = await watchEstate({ etcd, keys, heartbeats: true });
    let changes = 0;
    quiet.onChange(() => (changes += 1));
    await beat(1);
    await loud.until(({ clusters }) => clusters.get('c1')?.heartbeats.get('a')?.value.term === 1, {
      timeoutMs: 5_000,
    });
    await moveShard(0, 'c2');
    await quiet.until(({ map }) => map?.value.version === 2, { timeoutMs: 5_000 });
    expect(changes).toBe(1);
    expect(quiet.current().clusters.get('c1')?.heartbeats.size).toBe(0);
    await Promise.all([quiet.close(), loud.close()]);
  });

  test('a cluster watch gives every change of that cluster and of no other', async () => {
    const watch = await watchCluster({ etcd, keys, cluster: 'c1' });
    expect(watch.current().authority?.value.phase).toBe('bootstrap');
    let changes = 0;
    watch.onChange(() => (changes += 1));
    await createCluster({ etcd, keys, config, cluster: 'c2', actor });
    await beat(1);
    await watch.until(({ heartbeats }) => heartbeats.has('a'), { timeoutMs: 5_000 });
    expect(changes).toBe(1);
    await watch.close();
  });

  test('a term that falls is ignored and reported', async () => {
    const reports: WatchReport[] = [];
    const watch = await watchCluster({
      etcd,
      keys,
      cluster: 'c1',
      onReport: (report) => reports.push(report),
    });
    const put = (term: number) => new Transaction(etcd).put(keys.authority('c1'), { term }).commit();
    await put(7);
    await put(6);
    await eventually('the report', () => (reports.length > 0 ? reports : undefined));
    expect(reports).toMatchObject([{ kind: 'record-went-backwards', seen: '7', got: '6' }]);
    expect(watch.current().authority?.value.term).toBe(7);
    await watch.close();
  });

  test('a wait that is not met ends at its deadline, or with its signal', async () => {
    const watch = await watchEstate({ etcd, keys });
    await expect(watch.until(() => false, { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'wait_timed_out',
      exit: 5,
    });
    const signal = AbortSignal.timeout(50);
    await expect(watch.until(() => false, { timeoutMs: 5_000, signal })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    await watch.close();
  });

  test('while etcd is gone the view stays and says how old it is; a compaction in between loses nothing', async () => {
    const other = await server.open();
    const watch = await watchEstate({ etcd, keys });
    await eventually('a fresh proof', () => watch.staleForMs() < 1_500 || undefined);
    server.member(0).pause();
    await eventually('staleness', () => watch.staleForMs() > 3_000 || undefined, 10_000);
    expect(watch.current().map?.value.version).toBe(1);
    server.member(0).resume();
    await eventually('the map again', async () => (await readMap(etcd, keys).catch(() => undefined)) && true);
    await server.member(0).kill();
    server.member(0).start();
    await eventually('etcd again', async () => (await readMap(other, keys).catch(() => undefined)) && true);
    await moveShard(0, 'c2');
    await moveShard(2, 'c2');
    await compact();
    await watch.until(({ map }) => map?.value.version === 3, { timeoutMs: 10_000 });
    await eventually('a fresh proof', () => watch.staleForMs() < 1_500 || undefined);
    await watch.close();
    other.close();
  });

  test('without etcd opening a watch fails in time with etcd_unreachable', async () => {
    await server.member(0).kill();
    try {
      await expect(watchEstate({ etcd, keys })).rejects.toMatchObject({ code: 'etcd_unreachable', exit: 7 });
    } finally {
      server.member(0).start();
      await eventually('etcd again', async () => (await readMap(etcd, keys).catch(() => undefined)) && true);
    }
  });
});

describe('a watch whose next revision is compacted away', () => {
  test('lists again and misses nothing', async () => {
    const seen = new Map<string, string>();
    const breaks: unknown[] = [];
    const prefix = `${keys.prefix}compacted/`;
    const watch = await etcd.watch(prefix, {
      onSnapshot: ({ kvs }) => {
        for (const { key, value } of kvs) seen.set(key, value);
        // The stream that is opened next starts below the compacted revision.
        if (breaks.length === 0) block.promise = compactedWrites();
      },
      onEvents: (events) => {
        for (const event of events) if (event.kind === 'put') seen.set(event.kv.key, event.kv.value);
      },
      onBreak: (error) => breaks.push(error),
    });
    await block.promise;
    expect(await eventually('the last write', () => seen.get(`${prefix}9`))).toBe('x');
    expect(seen.size).toBe(10);
    await watch.close();

    async function compactedWrites(): Promise<void> {
      for (let index = 0; index < 10; index += 1) {
        await etcd.transact([], [{ kind: 'put', key: `${prefix}${index}`, value: 'x' }]);
      }
      await compact();
    }
  });
  const block: { promise: Promise<void> } = { promise: Promise.resolve() };
});

async function compact(): Promise<void> {
  const { Etcd3 } = await import('etcd3');
  const admin = new Etcd3({ hosts: [...server.endpoints] });
  const { header } = await admin.kv.range({ key: Buffer.from('/') });
  await admin.kv.compact({ revision: header.revision, physical: true });
  admin.close();
}
