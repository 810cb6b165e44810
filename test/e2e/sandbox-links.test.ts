import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { openEtcdReader } from '../../src/etcd/http-reader.ts';
import { etcdEndpoints } from '../../src/sandbox/estate-file.ts';
import { sandboxDown } from '../../src/sandbox/down.ts';
import { SandboxPaths } from '../../src/sandbox/folders.ts';
import { LinkClient, type LinkPair } from '../../src/sandbox/link/client.ts';
import { prepareSandbox } from '../../src/sandbox/prepare.ts';
import { awaitEtcd, awaitLink, startProcesses } from '../../src/sandbox/start.ts';
import { PortName, portOf, type SandboxState } from '../../src/sandbox/state.ts';
import { ETCD_NODES, LINK_NODE, type Region } from '../../src/sandbox/topology.ts';
import { freshName, testStateDir } from '../support/sandbox.ts';

/** Only etcd and the links between its regions: real processes, no Postgres. */
let paths: SandboxPaths;
let state: SandboxState;
let link: LinkClient;

beforeAll(async () => {
  process.env['CAPSTAN_STATE_DIR'] = testStateDir();
  paths = new SandboxPaths(freshName());
  state = await prepareSandbox({
    paths,
    issuersFile: undefined,
    contractFile: undefined,
    wanDelayMs: 0,
    memberLinks: true,
  });
  await startProcesses({ paths, state, nodes: [LINK_NODE, ...ETCD_NODES] });
  const deadline = performance.now() + 30_000;
  await awaitLink({ paths, deadline }, state);
  await allHealthy();
  link = new LinkClient(paths, state);
});

afterEach(async () => {
  await link.heal((await link.show()).map(({ from, to }) => ({ from, to })));
  await allHealthy();
});

afterAll(async () => {
  await sandboxDown({ name: paths.name, keepData: false });
  delete process.env['CAPSTAN_STATE_DIR'];
});

const allHealthy = () =>
  awaitEtcd({ paths, deadline: performance.now() + 20_000 }, { state, nodes: ETCD_NODES });

/** Writes through one member's own client port; how etcd answers within a second. */
async function writes(region: Region): Promise<boolean> {
  const url = `http://127.0.0.1:${portOf(state, PortName.etcdClient(`etcd-${region}`))}/v3/kv/put`;
  const body = JSON.stringify({ key: Buffer.from('probe').toString('base64'), value: '' });
  try {
    return (await fetch(url, { method: 'POST', body, signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}

const both = (a: Region, b: Region): LinkPair[] => [
  { from: a, to: b },
  { from: b, to: a },
];
const eventually = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 15_000, interval: 100 });

test('etcd members of two regions that are cut from each other keep a quorum through the witness', async () => {
  await link.change(both('new-york', 'madrid'), { cut: 'hold' });
  await eventually(async () => expect(await writes('witness')).toBe(true));
  await eventually(async () => expect([await writes('new-york'), await writes('madrid')]).toContain(true));
});

test('a region that is cut from both others has no quorum, and the others go on', async () => {
  await link.change([...both('new-york', 'madrid'), ...both('new-york', 'witness')], { cut: 'hold' });
  await eventually(async () => {
    expect([await writes('new-york'), await writes('madrid'), await writes('witness')]).toEqual([
      false,
      true,
      true,
    ]);
  });
});

test('a delay is seen by whoever reads another region’s etcd', async () => {
  await link.change(both('madrid', 'new-york'), { delayMs: 60 });
  const remote = `http://127.0.0.1:${portOf(state, PortName.etcdClientFrom('etcd-new-york', 'madrid'))}`;
  expect(etcdEndpoints(state, 'madrid')).toContain(remote);
  const reader = openEtcdReader({ endpoints: [remote], timeoutMs: 5_000 });
  try {
    const began = performance.now();
    await reader.range('probe');
    // One round trip to connect and one for the request.
    expect(performance.now() - began).toBeGreaterThan(235);
  } finally {
    reader.close();
  }
});

test('a one-way cut stops what goes that way only', async () => {
  await link.change([{ from: 'new-york', to: 'witness' }], { cut: 'hold' });
  const before = new Map(
    (await link.show()).map((one) => [`${one.from} ${one.to}`, BigInt(one.deliveredBytes)]),
  );
  await eventually(async () => {
    const now = new Map(
      (await link.show()).map((one) => [`${one.from} ${one.to}`, BigInt(one.deliveredBytes)]),
    );
    const moved = (way: string) => (now.get(way) ?? 0n) - (before.get(way) ?? 0n);
    expect(moved('witness new-york')).toBeGreaterThan(0n);
    expect(moved('new-york madrid')).toBeGreaterThan(0n);
    expect(moved('new-york witness')).toBe(0n);
  });
});

test('the link obeys nobody without its token', async () => {
  const url = `http://127.0.0.1:${portOf(state, PortName.linkControl)}/links`;
  const answer = await fetch(url, { method: 'POST', body: '{}', headers: { authorization: 'Bearer guess' } });
  expect(answer.status).toBe(401);
});
