import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { authorityOpen } from '../../../src/checks/authority-open.ts';
import { gatewaysReady } from '../../../src/checks/gateways-ready.ts';
import { remoteLag } from '../../../src/checks/remote-lag.ts';
import { runChecks } from '../../../src/checks/run-checks.ts';
import { syncFollower } from '../../../src/checks/sync-follower.ts';
import type { Check, CheckContext, Finding } from '../../../src/checks/types.ts';
import type { ClusterView } from '../../../src/controlplane/cluster-view.ts';

const now = () => new Date().toISOString();
const versioned = (value: unknown) => ({ value, revision: '1' });

/** One cluster, `c1`, led by `a1`; only what the checks under test read. */
function contextOf(view: object, parts: object = {}): CheckContext {
  const c1 = {
    name: 'c1',
    record: versioned({ homeRegion: 'ny' }),
    authority: versioned({ phase: 'open', leader: 'a1', term: 3 }),
    heartbeats: new Map(),
    ...view,
  } as unknown as ClusterView;
  const contract = {
    rpo: { budgetMs: 1_000 },
    liveness: { heartbeatTtlMs: 3_000, clockSkewMaxMs: 100 },
  };
  const estate = { clusters: new Map([['c1', c1]]), shards: new Map(), contract: versioned(contract) };
  return {
    snapshot: async () => ({ estate, readAtMs: Date.now() }),
    signal: new AbortController().signal,
    ...parts,
  } as unknown as CheckContext;
}

const one = async (check: Check, context: CheckContext): Promise<Finding | undefined> =>
  (await check.run(context))[0];

test('authority-open is unknown when the leader is not among the members that could be asked', async () => {
  const members = { member: async () => ({ inRecovery: true }) };
  for (const membership of [undefined, versioned({ members: { a2: { region: 'ny' } } })]) {
    expect(await one(authorityOpen, contextOf({ membership }, { members }))).toMatchObject({
      status: 'unknown',
      message: expect.stringContaining('a1') as string,
    });
  }
});

test('remote-lag is unknown, not skipped, when the members are not recorded', async () => {
  expect(await one(remoteLag, contextOf({}))).toMatchObject({ status: 'unknown' });
});

test('sync-follower names only the followers that are in sync, and lists the silent ones', async () => {
  const voters = ['a2', 'a3'].map((member) => ({ member, incarnation: `${member}-i` }));
  const settings = { fsync: true, fullPageWrites: true, synchronousCommit: 'on' };
  const members = {
    member: async () => ({ ...settings, synchronousStandbyNames: 'ANY 1 (a2, a3)' }),
    leader: async () => ({ lease: null }),
  };
  const beat = { at: now(), followers: [{ ...voters[1], syncState: 'quorum' }] };
  const view = {
    inSync: versioned({ voters, required: 1, degraded: false }),
    heartbeats: new Map([['a1', versioned(beat)]]),
  };
  expect(await one(syncFollower, contextOf(view, { members }))).toMatchObject({
    status: 'pass',
    message: 'decisions are flushed by a3; not in sync: a2',
  });
});

const checkOf = (findings: readonly Finding[]): Check => ({
  name: 'made-up',
  claim: '',
  asks: '',
  timeoutMs: 1_000,
  run: async () => findings,
});

const reportOf = async (findings: readonly Finding[]) => {
  const rest = { config: {}, keys: {}, etcd: {}, region: undefined } as unknown as Parameters<
    typeof runChecks
  >[0];
  return runChecks({ ...rest, checks: [checkOf(findings)] });
};

test('nothing judged is unknown, and a report that proved nothing is not ready', async () => {
  expect(await reportOf([])).toMatchObject({ ready: false, counts: { unknown: 1 } });
  expect(await reportOf([{ status: 'skipped', subject: 's', message: '' }])).toMatchObject({ ready: false });
  expect(await reportOf([{ status: 'pass', subject: 's', message: '' }])).toMatchObject({ ready: true });
});

let server: Server | undefined;
afterEach(async () => {
  if (server === undefined) return;
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
  server = undefined;
});

const entry = (cluster: string, kept: boolean) => ({
  cluster,
  promises: { decisions: { kept, reason: kept ? null : 'no leader' } },
});

test.each([
  ['pass', { ready: true, reason: null, clusters: [entry('c1', true)] }, 200],
  ['fail', { ready: true, reason: null, clusters: [entry('c2', true), entry('c1', false)] }, 200],
  ['fail', { ready: true, reason: null, clusters: [entry('c2', true)] }, 200],
  ['fail', { ready: false, reason: 'the gateway is stopping', clusters: [] }, 503],
  ['unknown', { status: 'ok' }, 200],
  ['unknown', 'welcome', 200],
])('gateways-ready says %s of the answer %j', async (status, body, code) => {
  const listening = createServer((request, response) => {
    response.statusCode = request.url === '/readyz' ? code : 404;
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  server = listening;
  listening.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  const url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  expect(await one(gatewaysReady, contextOf({}, { config: { gateways: { g1: { url } } } }))).toMatchObject({
    status,
  });
});
