import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Keys } from '../../src/controlplane/keys.ts';
import { renewLease } from '../../src/controlplane/lease.ts';
import { Transaction } from '../../src/controlplane/store.ts';
import { CapstanError } from '../../src/domain/errors.ts';
import { openEtcdReader } from '../../src/etcd/http-reader.ts';
import type { EtcdPort, WatchEvent } from '../../src/etcd/port.ts';
import { eventually, startEtcdCluster, type TestEtcd, type TestEtcdMember } from '../support/etcd.ts';

let etcd: TestEtcd;
let open: EtcdPort[] = [];

beforeAll(async () => {
  etcd = await startEtcdCluster(3);
});
afterAll(() => etcd.stop());
afterEach(async () => {
  for (const port of open) port.close();
  open = [];
  for (const member of etcd.members) {
    member.resume();
    await member.kill();
    member.start();
  }
  const port = await openEtcdPort();
  await eventually(
    'a quorum again',
    async () => (await port.get('/x').catch(() => null)) !== null || undefined,
  );
  port.close();
});

async function openEtcdPort(timeoutMs = 2_000): Promise<EtcdPort> {
  const port = await etcd.open({ timeoutMs });
  open.push(port);
  return port;
}

const put = (port: EtcdPort, key: string, value: string, modRevision = '0') =>
  port.transact([{ key, modRevision }], [{ kind: 'put', key, value }]);

async function aFollower(): Promise<TestEtcdMember> {
  const leader = await etcd.leader();
  return etcd.members.find((member) => member !== leader) ?? leader;
}

const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

async function timed<T>(work: Promise<T>): Promise<{ value: T; ms: number }> {
  const startedAt = performance.now();
  const value = await work;
  return { value, ms: performance.now() - startedAt };
}

describe('three members', () => {
  test.each([0, 1, 2])('reads and writes go on with member %i down', async (down) => {
    const port = await openEtcdPort();
    await put(port, `/down/${down}/a`, '1');
    await etcd.member(down).kill();
    await eventually(
      'a write',
      async () => (await put(port, `/down/${down}/b`, '2').catch(() => undefined))?.succeeded,
    );
    expect((await port.range(`/down/${down}/`)).kvs.map(({ value }) => value)).toEqual(['1', '2']);
    const reader = openEtcdReader({ endpoints: etcd.endpoints });
    expect((await reader.range(`/down/${down}/`)).kvs).toHaveLength(2);
    reader.close();
  });

  test('a paused member delays one read by less than its deadline, and the next ones hardly', async () => {
    const port = await openEtcdPort();
    await put(port, '/paused', '1');
    const paused = await aFollower();
    const first = await etcd.open({ endpoints: [paused.url, ...etcd.endpoints] });
    open.push(first);
    await first.get('/paused');
    paused.pause();
    const slow = await timed(first.get('/paused'));
    expect(slow.value?.value).toBe('1');
    expect(slow.ms).toBeLessThan(1_500);
    const next: number[] = [];
    for (let reads = 0; reads < 5; reads += 1) next.push((await timed(first.get('/paused'))).ms);
    expect(Math.min(...next)).toBeLessThan(100);
    expect((await first.transact([], [{ kind: 'put', key: '/paused-write', value: '1' }])).succeeded).toBe(
      true,
    );
    const reader = openEtcdReader({ endpoints: [paused.url, ...etcd.endpoints] });
    expect((await reader.get('/paused'))?.value).toBe('1');
    reader.close();
  });

  test('a compare-and-swap through a member that was just paused is carried out once', async () => {
    const follower = await aFollower();
    const port = await etcd.open({ endpoints: [follower.url, ...etcd.endpoints] });
    open.push(port);
    const { revision } = await put(port, '/once', '1');
    follower.pause();
    const result = await put(port, '/once', '2', revision);
    expect(result.succeeded).toBe(true);
    follower.resume();
    await eventually(
      'the member again',
      async () => (await port.get('/once').catch(() => undefined)) && true,
    );
    expect((await port.get('/once'))?.modRevision).toBe(result.revision);
  });

  test('a write that could take effect twice is sent once, and its lost reply is an unknown outcome', async () => {
    const follower = await aFollower();
    const port = await etcd.open({ endpoints: [follower.url, ...etcd.endpoints], timeoutMs: 1_000 });
    open.push(port);
    await port.get('/blind');
    follower.pause();
    const { value: error, ms } = await timed(
      errorOf(port.transact([], [{ kind: 'put', key: '/blind', value: '1' }])),
    );
    expect(error).toMatchObject({ code: 'etcd_outcome_unknown', exit: 5 });
    expect(ms).toBeLessThan(1_500);
    expect((await port.transact([], [{ kind: 'put', key: '/blind', value: '2' }])).succeeded).toBe(true);
  });

  test('a lease renewal through a member that was just paused takes far less than the lease', async () => {
    const keys = new Keys('paused-renewal');
    const paused = await aFollower();
    const port = await etcd.open({ endpoints: [paused.url, ...etcd.endpoints] });
    open.push(port);
    const value = { term: 1, leader: 'a', phase: 'open', operation: null, prefix: null, since: '' } as const;
    const revision = await new Transaction(port).put(keys.authority('c1'), value).commitAt();
    const renew = () =>
      renewLease({
        etcd: port,
        keys,
        cluster: 'c1',
        authority: { value, revision: revision ?? '' },
        member: 'a',
        grantId: 'g',
        sequence: 1,
        ttlMs: 3_000,
      });
    expect((await renew()).kind).toBe('renewed');
    paused.pause();
    const { value: renewed, ms } = await timed(renew());
    expect(renewed.kind).toBe('renewed');
    expect(ms).toBeLessThan(1_200);
  });

  test('a paused leader is replaced and calls go on', async () => {
    const port = await openEtcdPort();
    await put(port, '/leader', '1');
    (await etcd.leader()).pause();
    await eventually('a write under the next leader', async () => {
      const kv = await port.get('/leader').catch(() => undefined);
      if (kv === undefined) return undefined;
      const result = await put(port, '/leader', '2', kv.modRevision).catch(() => undefined);
      return result?.succeeded === true ? true : undefined;
    });
    expect((await port.get('/leader'))?.value).toBe('2');
  });

  test('without a quorum every call fails in its own time with etcd_unreachable', async () => {
    const port = await openEtcdPort(1_000);
    await port.get('/quorum');
    await Promise.all([etcd.member(0).kill(), etcd.member(1).kill()]);
    const read = await timed(errorOf(port.get('/quorum')));
    expect(read.value).toMatchObject({ code: 'etcd_unreachable', exit: 7 });
    expect(read.ms).toBeLessThan(1_300);
    const write = await timed(errorOf(port.transact([], [{ kind: 'put', key: '/q', value: '1' }])));
    expect(write.value).toBeInstanceOf(CapstanError);
    expect(write.ms).toBeLessThan(2_300);
    const reader = openEtcdReader({ endpoints: etcd.endpoints, timeoutMs: 1_000 });
    const quick = await timed(errorOf(reader.get('/quorum')));
    expect(quick.value).toMatchObject({ code: 'etcd_unreachable', exit: 7 });
    expect(quick.ms).toBeLessThan(1_300);
    const statuses = await port.status();
    expect(statuses.map(({ reachable }) => reachable)).toEqual([false, false, true]);
  });

  test('with every member down a write provably had no effect', async () => {
    const port = await openEtcdPort(1_000);
    await port.get('/all');
    await Promise.all(etcd.members.map((member) => member.kill()));
    // Until this process has read that its connections ended, a write may be on its way into one of them.
    await vi.waitFor(async () => {
      const statuses = await port.status();
      expect(statuses.map(({ reachable }) => reachable)).toEqual([false, false, false]);
    }, 10_000);
    await expect(port.transact([], [{ kind: 'put', key: '/all', value: '1' }])).rejects.toMatchObject({
      code: 'etcd_unreachable',
    });
  });

  test.each(['kill', 'pause'] as const)(
    'a watch survives the %s of the member it hangs on',
    async (fault) => {
      const writer = await openEtcdPort();
      const victim = etcd.member(0);
      const watcher = await etcd.open({ endpoints: [victim.url, etcd.member(1).url], timeoutMs: 1_000 });
      open.push(watcher);
      const seen = new Map<string, string>();
      let breaks = 0;
      const onEvents = (events: readonly WatchEvent[]) => {
        for (const event of events) if (event.kind === 'put') seen.set(event.kv.key, event.kv.value);
      };
      const watch = await watcher.watch(`/watch-${fault}/`, {
        onSnapshot: ({ kvs }) => {
          for (const { key, value } of kvs) seen.set(key, value);
        },
        onEvents,
        onBreak: () => (breaks += 1),
      });
      await put(writer, `/watch-${fault}/a`, '1');
      await eventually('the first change', () => seen.get(`/watch-${fault}/a`));
      await victim[fault]();
      await eventually(
        'a write',
        async () => (await put(writer, `/watch-${fault}/b`, '2').catch(() => undefined)) && true,
      );
      await eventually('the change after the fault', () => seen.get(`/watch-${fault}/b`), 8_000);
      expect(breaks).toBeGreaterThan(0);
      await watch.close();
    },
  );

  test('a liveness lease outlives the pause of a member, and ends when its holder is closed', async () => {
    const port = await openEtcdPort(1_000);
    const lease = await port.grantLiveness(3_000);
    let lost = false;
    void lease.lost.then(() => (lost = true));
    await port.transact([], [{ kind: 'put', key: '/alive', value: '1', leaseId: lease.id }]);
    const follower = await aFollower();
    follower.pause();
    const until = performance.now() + 6_000;
    await eventually('6 s to pass', () => performance.now() > until || undefined);
    expect(lost).toBe(false);
    expect((await port.get('/alive'))?.value).toBe('1');
    await lease.close();
    expect(await port.get('/alive')).toBeUndefined();
  });

  test('a lease that is kept alive leaves the watch beside it alone', async () => {
    const port = await openEtcdPort();
    let proofs = 0;
    const breaks: unknown[] = [];
    const watch = await port.watch('/quiet/', {
      onSnapshot: () => undefined,
      onEvents: () => undefined,
      onProof: () => (proofs += 1),
      onBreak: (error) => breaks.push(error),
    });
    const lease = await port.grantLiveness(2_000);
    // Proofs come once a second; a dropped connection shows at the next ping, which comes every six.
    await eventually('eight proofs', () => proofs > 8 || undefined, 20_000);
    expect(breaks).toEqual([]);
    await lease.close();
    await watch.close();
  });
});
