import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type AuditEntry, appendAudit, listAudit } from '../../src/controlplane/audit.ts';
import { changeMap, MAP_CHANGE_SHARDS_MAX } from '../../src/controlplane/change-map.ts';
import { listClusterViews, readClusterView } from '../../src/controlplane/cluster-view.ts';
import { createCluster } from '../../src/controlplane/create-cluster.ts';
import { readEstateSnapshot } from '../../src/controlplane/estate-snapshot.ts';
import { initEstate } from '../../src/controlplane/init.ts';
import { Keys } from '../../src/controlplane/keys.ts';
import { openBootstrap, recordInSync } from '../../src/controlplane/leader-records.ts';
import { renewLease } from '../../src/controlplane/lease.ts';
import { mapDiff, mapHistory, ownersOf, readMap, readOwnersAt } from '../../src/controlplane/shard-map.ts';
import { readContract, readRecord, Transaction } from '../../src/controlplane/store.ts';
import { loadContract } from '../../src/config/contract.ts';
import type { ClusterConfig } from '../../src/config/estate-config.ts';
import type { Contract } from '../../src/domain/contract.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';

let server: TestEtcd;
let etcd: EtcdPort;
let contract: Contract;
let keys: Keys;
let estates = 0;

beforeAll(async () => {
  server = await startEtcd();
  etcd = await server.open();
  contract = await loadContract(new URL('../../contract.yaml', import.meta.url).pathname);
});
afterAll(async () => {
  etcd.close();
  await server.stop();
});
beforeEach(() => {
  estates += 1;
  keys = new Keys(`estate-${estates}`);
});

const cluster = (name: string, region: string): ClusterConfig => ({
  homeRegion: region,
  bootstrapMember: `${name}-1`,
  members: {
    [`${name}-1`]: {
      region,
      role: 'voter',
      dataDir: '/nowhere',
      listen: '127.0.0.1:1',
      address: { default: '127.0.0.1:1' },
    },
  },
});
const config = { clusters: { c2: cluster('c2', 'madrid'), c1: cluster('c1', 'new-york') } };
const actor = 'tester@here';
const init = () => initEstate({ etcd, keys, config, contract, actor });

const move = async (shards: readonly number[], to: string) => {
  const map = await readMap(etcd, keys);
  const moves = shards.flatMap((shard) => {
    const entry = map.shards.get(shard);
    return entry === undefined ? [] : [{ entry, cluster: to }];
  });
  return changeMap({ etcd, keys, map: map.map, moves, actor, reason: 'test' });
};

const bootstrap = async () => {
  await init();
  await createCluster({ etcd, keys, config, cluster: 'c1', actor });
  const authority = await readRecord<never>(etcd, keys.authority('c1'));
  if (authority === undefined) throw new Error('no authority');
  return authority;
};

const entry = (target: string): AuditEntry => ({ actor, action: 'test', target });

const targets = async (query: Parameters<typeof listAudit>[2]) =>
  (await listAudit(etcd, keys, query)).map(({ target }) => target);

/** An etcd whose process dies (from its caller's view) at the n-th transaction, after or before it was carried out. */
function dyingAt(n: number, when: 'before' | 'after'): EtcdPort {
  let transactions = 0;
  return {
    get: (key, options) => etcd.get(key, options),
    range: (prefix, options) => etcd.range(prefix, options),
    watch: (prefix, handlers) => etcd.watch(prefix, handlers),
    grantLiveness: (ttlMs) => etcd.grantLiveness(ttlMs),
    status: (options) => etcd.status(options),
    close: () => undefined,
    transact: async (...args) => {
      transactions += 1;
      if (transactions === n && when === 'before') throw new Error('killed');
      const result = await etcd.transact(...args);
      if (transactions === n) throw new Error('killed');
      return result;
    },
  };
}

describe('compare-and-swap', () => {
  test('no update is lost under 20 concurrent writers', async () => {
    const key = `${keys.prefix}counter`;
    const add = async (): Promise<void> => {
      for (;;) {
        const before = await readRecord<number>(etcd, key);
        const done = await new Transaction(etcd)
          .expect(key, before?.revision ?? '0')
          .put(key, (before?.value ?? 0) + 1)
          .commit();
        if (done) return;
      }
    };
    await Promise.all(Array.from({ length: 20 }, add));
    expect((await readRecord<number>(etcd, key))?.value).toBe(20);
  });

  test('128 records are written at once; 129 are refused before anything is sent', async () => {
    const filled = (count: number) => {
      const transaction = new Transaction(etcd);
      for (let index = 0; index < count; index += 1) transaction.put(`${keys.prefix}n/${index}`, index);
      return transaction;
    };
    await expect(filled(129).commit()).rejects.toMatchObject({ code: 'transaction_too_large', exit: 4 });
    expect((await etcd.range(`${keys.prefix}n/`)).kvs).toHaveLength(0);
    expect(await filled(128).commit()).toBe(true);
  });

  test('etcd itself refuses 129 operations, as a refusal without effect', async () => {
    const writes = Array.from({ length: 129 }, (_, index) => ({
      kind: 'put' as const,
      key: `${keys.prefix}n/${index}`,
      value: '',
    }));
    await expect(etcd.transact([], writes)).rejects.toMatchObject({ code: 'etcd_request_refused', exit: 4 });
  });
});

describe('init', () => {
  test('MUNI-77 (shard 184) lands on c1, odd shards on c2, all at generation 1 of map version 1', async () => {
    expect(await init()).toMatchObject({ changed: true, mapVersion: 1 });
    const { estate, shards, map } = await readEstateSnapshot(etcd, keys);
    expect(estate.value.shardCount).toBe(480);
    expect(map.value.version).toBe(1);
    expect(shards.size).toBe(480);
    expect(shards.get(184)?.value).toEqual({
      shard: 184,
      cluster: 'c1',
      generation: 1,
      state: 'serving',
      mapVersion: 1,
    });
    expect(shards.get(185)?.value.cluster).toBe('c2');
    expect(await readContract(etcd, keys)).toEqual(contract);
  });

  test('run again it changes nothing; with other shards or another contract it is refused', async () => {
    const { estate } = await init();
    expect(await init()).toEqual({ changed: false, estate, mapVersion: 1 });
    await expect(initEstate({ etcd, keys, config, contract, actor, shardCount: 8 })).rejects.toMatchObject({
      code: 'estate_differs',
      exit: 4,
      data: { differences: ['shardCount'] },
    });
    const other = { ...contract, rto: { maxMs: 1 } };
    await expect(initEstate({ etcd, keys, config, contract: other, actor })).rejects.toMatchObject({
      code: 'estate_differs',
      data: { differences: ['contract'] },
    });
  });

  test.each([1, 2, 4, 6, 7].flatMap((n) => (['before', 'after'] as const).map((when) => [when, n] as const)))(
    'killed %s its transaction %i, the next run completes it, whatever its shard count',
    async (when, n) => {
      await initEstate({ etcd: dyingAt(n, when), keys, config, contract, actor }).catch(() => undefined);
      const committed = (await etcd.get(keys.map)) !== undefined;
      expect(committed).toBe(n === 7 && when === 'after');
      const shardCount = committed ? 480 : 50;
      expect((await initEstate({ etcd, keys, config, contract, actor, shardCount })).changed).toBe(
        !committed,
      );
      const snapshot = await readEstateSnapshot(etcd, keys);
      expect(snapshot.shards.size).toBe(shardCount);
      expect((await etcd.get(keys.initMarker))?.value).toBeUndefined();
    },
  );

  test('of several at once one creates the estate, and the others are refused or find it', async () => {
    const runs = await Promise.allSettled(Array.from({ length: 6 }, init));
    const done = runs.flatMap((run) => (run.status === 'fulfilled' ? [run.value] : []));
    const { estate, shards } = await readEstateSnapshot(etcd, keys);
    expect(done.filter(({ changed }) => changed)).toHaveLength(1);
    expect(new Set(done.map((result) => result.estate.incarnation))).toEqual(
      new Set([estate.value.incarnation]),
    );
    expect(shards.size).toBe(480);
    const refusals = runs.flatMap((run) => (run.status === 'rejected' ? [run.reason as unknown] : []));
    expect(refusals).toEqual(
      refusals.map(() => expect.objectContaining({ code: 'concurrent_change', exit: 4 }) as unknown),
    );
  });
});

describe('cluster create', () => {
  test('needs an estate, admits once, and refuses another shape and an unknown name', async () => {
    const create = (name = 'c1', of: { clusters: Record<string, ClusterConfig> } = config) =>
      createCluster({ etcd, keys, config: of, cluster: name, actor });
    await expect(create()).rejects.toMatchObject({ code: 'estate_missing', exit: 4 });
    await init();
    expect((await create()).changed).toBe(true);
    expect((await create()).changed).toBe(false);
    await expect(create('c9')).rejects.toMatchObject({ code: 'cluster_unknown' });
    const moved = { clusters: { c1: { ...cluster('c1', 'madrid'), homeRegion: 'madrid' } } };
    await expect(create('c1', moved)).rejects.toMatchObject({ code: 'cluster_differs', exit: 4 });
    const view = await readClusterView(etcd, keys, 'c1');
    expect(view?.authority?.value).toMatchObject({ term: 1, leader: null, phase: 'bootstrap' });
    expect(view?.membership?.value.epoch).toBe(1);
    await create('c2');
    expect((await listClusterViews(etcd, keys)).map(({ name }) => name)).toEqual(['c1', 'c2']);
    expect((await listAudit(etcd, keys)).map(({ action }) => action)).toEqual([
      'estate.init',
      'cluster.create',
      'cluster.create',
    ]);
  });
});

describe('the shard map', () => {
  test('a move raises version and generation, and history, diff and older versions agree', async () => {
    await init();
    const first = ownersOf(await readMap(etcd, keys));
    await move([184, 186], 'c2');
    await move([184], 'c1');
    const now = await readMap(etcd, keys);
    expect(now.map.value.version).toBe(3);
    expect(now.shards.get(184)?.value).toMatchObject({ cluster: 'c1', generation: 3, mapVersion: 3 });
    expect(await readOwnersAt(etcd, keys, 1)).toEqual(first);
    expect(await mapDiff(etcd, keys, { from: 1, to: 3 })).toEqual([
      { shard: 184, from: { cluster: 'c1', generation: 1 }, to: { cluster: 'c1', generation: 3 } },
      { shard: 186, from: { cluster: 'c1', generation: 1 }, to: { cluster: 'c2', generation: 2 } },
    ]);
    expect((await mapHistory(etcd, keys)).map(({ version }) => version)).toEqual([1, 2, 3]);
    expect((await mapHistory(etcd, keys, { limit: 1 })).map(({ version }) => version)).toEqual([3]);
    await expect(readOwnersAt(etcd, keys, 4)).rejects.toMatchObject({ code: 'map_version_missing' });
  });

  test('of concurrent changes one is made, and each version is written once', async () => {
    await init();
    const results = await Promise.all([0, 2, 4, 6, 8].map((shard) => move([shard], 'c2')));
    const made = results.filter((result) => result !== undefined);
    expect(made.length).toBeGreaterThan(0);
    expect(new Set(made.map(({ version }) => version)).size).toBe(made.length);
    expect((await readMap(etcd, keys)).map.value.version).toBe(made.length + 1);
  });

  test('takes as many shards at once as fit a transaction, and refuses one more by itself', async () => {
    await init();
    const shards = Array.from({ length: MAP_CHANGE_SHARDS_MAX + 1 }, (_, index) => index);
    await expect(move(shards, 'c2')).rejects.toMatchObject({ code: 'map_change_too_large', exit: 4 });
    expect(await move(shards.slice(1), 'c2')).toMatchObject({ version: 2 });
  });
});

describe('authority and lease', () => {
  test('the bootstrap member opens once; a second one with the same view changes nothing', async () => {
    const authority = await bootstrap();
    const open = () => openBootstrap({ etcd, keys, cluster: 'c1', authority, member: 'c1-1', actor });
    const results = await Promise.all([open(), open()]);
    expect(results.filter((result) => result !== undefined)).toHaveLength(1);
    expect((await readClusterView(etcd, keys, 'c1'))?.authority?.value).toMatchObject({
      phase: 'open',
      term: 1,
      leader: 'c1-1',
    });
  });

  test('an agent that goes on renewing after the authority changed is superseded and writes nothing', async () => {
    const opened = await openBootstrap({
      etcd,
      keys,
      cluster: 'c1',
      authority: await bootstrap(),
      member: 'c1-1',
      actor,
    });
    if (opened === undefined) throw new Error('not opened');
    const renew = (sequence: number) =>
      renewLease({
        etcd,
        keys,
        cluster: 'c1',
        authority: opened,
        member: 'c1-1',
        grantId: 'g',
        sequence,
        ttlMs: 3_000,
      });
    expect((await renew(1)).kind).toBe('renewed');
    await new Transaction(etcd)
      .expect(keys.authority('c1'), opened.revision)
      .put(keys.authority('c1'), { ...opened.value, term: 2, phase: 'fenced', leader: null })
      .commit();
    expect((await renew(2)).kind).toBe('superseded');
    expect((await readClusterView(etcd, keys, 'c1'))?.lease?.value.sequence).toBe(1);
    const membership = (await readClusterView(etcd, keys, 'c1'))?.membership;
    if (membership === undefined) throw new Error('no membership');
    const recorded = await recordInSync({
      etcd,
      keys,
      cluster: 'c1',
      authority: opened,
      membership,
      before: undefined,
      actor,
      reason: 'test',
      after: { term: 1, epoch: 1, voters: [], required: 0, degraded: true, since: '' },
    });
    expect(recorded).toBeUndefined();
  });

  test('an in-sync set that follows from a former membership is not recorded', async () => {
    const authority = await bootstrap();
    const membership = (await readClusterView(etcd, keys, 'c1'))?.membership;
    if (membership === undefined) throw new Error('no membership');
    const after = { term: 1, epoch: 1, voters: [], required: 0, degraded: true, since: '' };
    const options = { etcd, keys, cluster: 'c1', authority, membership, actor, reason: 'test', after };
    const before = await recordInSync({ ...options, before: undefined });
    expect(before).toBeDefined();
    await new Transaction(etcd).put(keys.membership('c1'), { ...membership.value, epoch: 2 }).commit();
    expect(await recordInSync({ ...options, before })).toBeUndefined();
  });
});

describe('audit', () => {
  test('entries come back in the order in which they were made, the newest within a limit, filtered', async () => {
    const from = Date.now();
    for (const target of ['a', 'b', 'a', 'c']) await appendAudit(etcd, keys, entry(target));
    expect(await targets({})).toEqual(['a', 'b', 'a', 'c']);
    expect(await targets({ limit: 2 })).toEqual(['a', 'c']);
    expect(await targets({ target: 'a' })).toEqual(['a', 'a']);
    expect(await targets({ sinceMs: from })).toHaveLength(4);
    expect(await targets({ sinceMs: Date.now() + 1_000 })).toEqual([]);
    expect(await targets({ untilMs: from - 1 })).toEqual([]);
  });
});
