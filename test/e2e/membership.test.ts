import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ReadinessReport } from '../../src/checks/types.ts';
import type { ClusterSummary } from '../../src/cli/schemas/cluster.ts';
import type { SandboxEnvironment } from '../../src/sandbox/environment.ts';
import { openDesks } from '../support/desk-client.ts';
import { startLoad } from '../support/desk-load.ts';
import { watchDurability } from '../support/durability-watch.ts';
import { eventually } from '../support/etcd.ts';
import { failOver, must } from '../support/fail-over.ts';
import { History } from '../support/history.ts';
import { report } from '../support/proof.ts';
import { clusterOf, clusterState, freshIssuers, verdict } from '../support/read-back.ts';
import { startSandbox, type TestSandbox } from '../support/sandbox.ts';

const CALLERS = 4;
const FOLLOWER = 'c1-new-york-2';
const FURTHER = 'c1-new-york-3';

/** Bounds that lapse on a machine with too little processor time, whoever comes or goes: refused without effect. */
const STARVED: ReadonlySet<string> = new Set(['lease_lapsed', 'rpo_lapsed']);

let sandbox: TestSandbox;

beforeAll(async () => {
  sandbox = await startSandbox();
});
afterAll(() => sandbox?.down());

const change = (action: 'add' | 'remove', member: string, ...flags: string[]) =>
  must(sandbox, 'member', action, member, '--confirm=c1', ...flags);
const voters = async () => (await clusterState(sandbox, 'c1')).durability?.voters.toSorted();
const gatewayUrl = () => sandbox.environment.gateways[0]?.url ?? '';

async function syncCheck(): Promise<string | undefined> {
  const args = ['readiness', 'check', '--check', 'sync-follower'];
  const { result } = await sandbox.capstan<ReadinessReport>(args);
  return result.data.results.find(({ cluster }) => cluster === 'c1')?.status;
}

/** Callers and a watcher of durability, until `body` has ended. */
async function underLoad(name: string, body: () => Promise<void>) {
  const desks = openDesks(sandbox, new History());
  try {
    const issuers = await freshIssuers(desks, { cluster: 'c1', count: 3, limit: '900000', prefix: name });
    const watch = watchDurability(sandbox, issuers[0] ?? '');
    const load = startLoad({ desks, callersPerGateway: CALLERS, issuers, seed: 1, name });
    try {
      await body();
    } finally {
      await load.stop();
      await watch.stop();
    }
    expect(await verdict(sandbox, desks)).toEqual([]);
    return { history: desks.history, said: [...watch.said] };
  } finally {
    await desks.close();
  }
}

test('a further member is made, waits, and is known wherever one looks', async () => {
  const added = await sandbox.capstan(['sandbox', 'member', 'add', 'c1', '--region', 'new-york']);
  expect(added.result).toMatchObject({ ok: true, data: { member: FURTHER } });
  // It names the further member from now on.
  const { result } = await sandbox.capstan<SandboxEnvironment>(['sandbox', 'env']);
  sandbox = { ...sandbox, environment: result.data };
  await eventually('it waits to be taken in', async () => {
    const status = await sandbox.capstan<{
      readonly processes: readonly { readonly name: string; readonly memberState: string | null }[];
      readonly up: boolean;
    }>(['sandbox', 'status']);
    const found = status.result.data.processes.find(({ name }) => name === FURTHER);
    return found?.memberState === 'stopped' && status.result.data.up ? true : undefined;
  });
  const dry = await sandbox.capstan(['member', 'add', FURTHER, '--dry-run']);
  expect(dry.result).toMatchObject({
    ok: true,
    data: { changed: false, plan: { goal: 'voter', region: 'new-york', refusals: [] } },
  });
}, 300_000);

test('members come and go under load: no error, and no answer that says degraded', async (context) => {
  const { history, said } = await underLoad('members', async () => {
    await change('add', FURTHER);
    expect(await voters()).toEqual([FOLLOWER, FURTHER]);
    await change('remove', FOLLOWER);
    expect(await voters()).toEqual([FURTHER]);
    await change('add', FOLLOWER);
    expect(await voters()).toEqual([FOLLOWER, FURTHER]);
  });
  const errors = history.attempts.flatMap(({ kind, code }) => (kind === 'ok' ? [] : [code]));
  expect(errors.filter((code) => !STARVED.has(code ?? ''))).toEqual([]);
  expect(said).toEqual(['sync']);
  const again = await sandbox.capstan(['member', 'add', FOLLOWER]);
  expect(again.result).toMatchObject({ ok: true, data: { changed: false, operation: null } });
  report(context, history.summary());
}, 300_000);

test('a member that was made after the daemons started can lead: they find it by themselves', async () => {
  const { from } = await failOverTo(FURTHER);
  expect(from).toBe('c1-new-york-1');
  await underLoad('further', async () => {
    await eventually('decisions at the new leader', async () => {
      const { leader, durability } = await clusterState(sandbox, 'c1');
      return leader === FURTHER && durability?.degraded === false ? true : undefined;
    });
  });
  expect(await voters()).toEqual([FOLLOWER]);
  // Its host is gone: what it holds is for a rejoin, and its vote keeps nobody waiting.
  await change('remove', 'c1-new-york-1');
}, 300_000);

/** Its host is killed, so that whoever holds most of the others leads; `wanted` is asked for by name. */
async function failOverTo(wanted: string) {
  const { leader } = await clusterState(sandbox, 'c1');
  await must(sandbox, 'sandbox', 'kill', String(leader));
  return failOver(sandbox, 'c1', '--target', wanted);
}

test('the last voter is removed only when that is accepted; it is said everywhere, until one is added', async (context) => {
  const refused = await sandbox.capstan(['member', 'remove', FOLLOWER, '--confirm=c1']);
  expect(refused.result.error).toMatchObject({ code: 'last_voter', exit: 4 });
  const { history, said } = await underLoad('degraded', async () => {
    await change('remove', FOLLOWER, '--accept-degraded');
    expect((await clusterState(sandbox, 'c1')).durability).toMatchObject({ degraded: true, voters: [] });
    const { result } = await sandbox.capstan<{ clusters: readonly ClusterSummary[] }>(['status']);
    expect(result.data.clusters.find(({ name }) => name === 'c1')?.durability?.degraded).toBe(true);
    expect(await syncCheck()).toBe('fail');
    const ready = await fetch(`${gatewayUrl()}/readyz?cluster=c1&promise=durability`);
    expect(ready.status).toBe(503);
    const metrics = await (await fetch(`${gatewayUrl()}/metrics`)).text();
    expect(metrics).toContain('capstan_gateway_durability_degraded{cluster="c1"} 1');
    expect(metrics).toContain('capstan_gateway_durability_degraded{cluster="c2"} 0');
    await change('add', FOLLOWER);
  });
  expect(said.toSorted()).toEqual(['degraded', 'sync']);
  expect(await syncCheck()).toBe('pass');
  const open = history.attempts.filter(({ kind, issuer }) => kind === 'ok' && clusterOf(issuer) === 'c1');
  expect(open.length).toBeGreaterThan(0);
  report(context, history.summary());
}, 300_000);
