import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { loadEstateConfig } from '../../src/config/estate-config.ts';
import { Keys } from '../../src/controlplane/keys.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { etcdFromConfig } from '../../src/etcd/from-config.ts';
import { AuthoritySampler } from '../support/authority-sampler.ts';
import { type Desks, openDesks } from '../support/desk-client.ts';
import { startLoad } from '../support/desk-load.ts';
import { must } from '../support/fail-over.ts';
import { History } from '../support/history.ts';
import { report, sized } from '../support/proof.ts';
import { clusterState, freshIssuers, verdict } from '../support/read-back.ts';
import { startSandbox, type TestSandbox } from '../support/sandbox.ts';

const CALLERS = sized({ full: 32, quick: 4 });
const MEMBERS = sized({ full: 3, quick: 1 });
const TIMEOUT_MS = sized({ full: 300_000, quick: 120_000 });
const ETCD = ['etcd-new-york', 'etcd-madrid', 'etcd-witness'];

let sandbox: TestSandbox;
let desks: Desks;
let etcd: EtcdPort;
let keys: Keys;

beforeAll(async () => {
  sandbox = await startSandbox();
  const config = await loadEstateConfig(sandbox.environment.config);
  etcd = await etcdFromConfig(config);
  keys = new Keys(config.estate);
});
afterAll(async () => {
  etcd?.close();
  await sandbox?.down();
});
beforeEach(() => {
  desks = openDesks(sandbox, new History());
});
afterEach(() => desks.close());

const eventually = <T>(check: () => Promise<T> | T) => vi.waitFor(check, { timeout: 40_000, interval: 100 });
const authorities = async () => {
  const states = [await clusterState(sandbox, 'c1'), await clusterState(sandbox, 'c2')];
  return states.map(({ leader, term }) => `${leader} under term ${term}`);
};
const issuersFor = async (prefix: string) => [
  ...(await freshIssuers(desks, { cluster: 'c1', count: 2, limit: '100000', prefix })),
  ...(await freshIssuers(desks, { cluster: 'c2', count: 2, limit: '100000', prefix })),
];
let tokens = 0;
const decidesAgain = (issuers: readonly string[]) =>
  eventually(async () => {
    for (const issuer of issuers) {
      tokens += 1;
      const answer = await desks.at('madrid').reserve({ issuer, notional: '1', token: `again-${tokens}` });
      expect(answer.outcome).toBe('confirmed');
    }
  });

/** The etcd member that leads now, by asking each what it is and whom it follows. */
async function etcdLeader(): Promise<string> {
  const { result } = await sandbox.capstan<{ processes: { name: string; port: number }[] }>([
    'sandbox',
    'status',
  ]);
  for (const { name, port } of result.data.processes) {
    if (!ETCD.includes(name)) continue;
    const response = await fetch(`http://127.0.0.1:${port}/v3/maintenance/status`, {
      method: 'POST',
      body: '{}',
    });
    const status = (await response.json()) as { leader: string; header: { member_id: string } };
    if (status.leader === status.header.member_id) return name;
  }
  throw new Error('no etcd member leads');
}

test(
  'etcd’s own leader is lost while leases run: decisions go on or lapse, and there is one authority all along',
  { timeout: TIMEOUT_MS },
  async (context) => {
    const before = await authorities();
    const issuers = await issuersFor('etcd-leader');
    const sampler = new AuthoritySampler(sandbox);
    const load = startLoad({ desks, callersPerGateway: CALLERS, issuers, seed: 1, name: 'etcd-leader' });
    const lost: string[] = [];
    for (let n = 0; n < 2 * MEMBERS; n += 1) {
      const leader = await etcdLeader();
      lost.push(`${leader} ${n % 2 === 0 ? 'killed' : 'paused'}`);
      await must(sandbox, 'sandbox', n % 2 === 0 ? 'kill' : 'pause', leader);
      await decidesAgain(issuers);
      await must(sandbox, 'sandbox', n % 2 === 0 ? 'start' : 'resume', leader);
      await eventually(async () => expect(ETCD).toContain(await etcdLeader()));
    }
    await load.stop();
    await decidesAgain(issuers);
    expect(await sampler.stop()).toEqual(before);
    expect(await authorities()).toEqual(before);
    expect(await verdict(sandbox, desks)).toEqual([]);
    report(context, `${lost.join(', ')}; ${sampler.looks} looks at all members; ${desks.history.summary()}`);
  },
);

test(
  'a lease key deleted by hand makes no second authority and is written again',
  { timeout: TIMEOUT_MS },
  async (context) => {
    const before = await authorities();
    const issuers = await issuersFor('lease-key');
    const sampler = new AuthoritySampler(sandbox);
    const load = startLoad({ desks, callersPerGateway: CALLERS, issuers, seed: 2, name: 'lease-key' });
    for (let n = 0; n < 3 * MEMBERS; n += 1) {
      for (const cluster of ['c1', 'c2']) {
        const key = keys.lease(cluster);
        expect((await etcd.transact([], [{ kind: 'delete', key }])).succeeded).toBe(true);
        await eventually(async () => expect(await etcd.get(key)).toBeDefined());
      }
    }
    await load.stop();
    await decidesAgain(issuers);
    expect(await sampler.stop()).toEqual(before);
    expect(await authorities()).toEqual(before);
    expect(await verdict(sandbox, desks)).toEqual([]);
    report(
      context,
      `${6 * MEMBERS} deletions, ${sampler.looks} looks at all members; ${desks.history.summary()}`,
    );
  },
);

test(
  'with one etcd member down everything goes on, the command line’s changes included',
  { timeout: TIMEOUT_MS },
  async () => {
    const issuers = await issuersFor('one-down');
    await must(sandbox, 'sandbox', 'kill', 'etcd-madrid');
    const down = performance.now();
    // Settling writes the audit log in etcd.
    await must(sandbox, 'token', 'resolve', 'one-down', '--issuer', 'MUNI-77', '--settle', '--yes');
    // Longer than a lease: what decides after it was renewed without that member.
    await eventually(() => expect(performance.now() - down).toBeGreaterThan(4_000));
    await decidesAgain(issuers);
    const { result } = await sandbox.capstan(['status']);
    expect(result.ok).toBe(true);
    await must(sandbox, 'sandbox', 'start', 'etcd-madrid');
  },
);

test(
  'without a quorum commands fail fast and clearly, decisions lapse, and all comes back by itself',
  { timeout: TIMEOUT_MS },
  async (context) => {
    const before = await authorities();
    const issuers = await issuersFor('no-quorum');
    const sampler = new AuthoritySampler(sandbox);
    await Promise.all(['etcd-new-york', 'etcd-madrid'].map((name) => must(sandbox, 'sandbox', 'kill', name)));
    const slowest = { command: '', ms: 0 };
    for (const words of [
      ['status'],
      ['cluster', 'show', 'c1'],
      ['map', 'route', 'MUNI-77'],
      ['failover', 'run', 'c1', '--confirm=c1'],
    ]) {
      const asked = performance.now();
      const { status, result } = await sandbox.capstan(words);
      const ms = Math.round(performance.now() - asked);
      if (ms > slowest.ms) Object.assign(slowest, { command: words.join(' '), ms });
      expect([words.join(' '), status, result.error?.code]).toEqual([words.join(' '), 7, 'etcd_unreachable']);
      expect(result.error?.message).toMatch(/etcd/);
    }
    expect(slowest.ms).toBeLessThan(15_000);
    await eventually(async () => {
      for (const issuer of issuers) {
        tokens += 1;
        const answer = await desks.at('new-york').reserve({ issuer, notional: '1', token: `none-${tokens}` });
        expect(answer).toMatchObject({ kind: 'fail', http: 503 });
      }
    });
    for (const name of ['etcd-new-york', 'etcd-madrid']) await must(sandbox, 'sandbox', 'start', name);
    await decidesAgain(issuers);
    expect(await sampler.stop()).toEqual(before);
    expect(await authorities()).toEqual(before);
    expect(await verdict(sandbox, desks)).toEqual([]);
    report(context, `slowest refusal: capstan ${slowest.command} in ${slowest.ms} ms`);
  },
);
