import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClusterSummary } from '../../src/cli/schemas/cluster.ts';
import type { ClusterHistoryData } from '../../src/cli/schemas/cluster-history.ts';
import type { ReadinessReport } from '../../src/checks/types.ts';
import { openDesks } from '../support/desk-client.ts';
import { startLoad } from '../support/desk-load.ts';
import { eventually } from '../support/etcd.ts';
import { must } from '../support/fail-over.ts';
import { History } from '../support/history.ts';
import { report } from '../support/proof.ts';
import { clusterOf, clusterState, freshIssuers, verdict } from '../support/read-back.ts';
import { startSandbox, type TestSandbox } from '../support/sandbox.ts';

const CALLERS = 8;
const WARM_MS = 2_000;
const BACK_WITHIN_MS = 60_000;

let sandbox: TestSandbox;

beforeAll(async () => {
  sandbox = await startSandbox([], { automatic: true });
});
afterAll(() => sandbox?.down());

const summary = async () =>
  (await sandbox.capstan<ClusterSummary>(['cluster', 'show', 'c1'])).result.data.automaticFailover;

async function automaticCheck(): Promise<string | undefined> {
  const { result } = await sandbox.capstan<ReadinessReport>([
    'readiness',
    'check',
    '--check',
    'automatic-failover',
  ]);
  return result.data.results.find(({ cluster }) => cluster === 'c1')?.status;
}

test('a pause shows wherever one looks, and ends', async () => {
  expect(await automaticCheck()).toBe('pass');
  const pause = ['cluster', 'pause', 'c1', '--reason', 'kernel update', '--for', '1h'];
  expect((await sandbox.capstan(pause)).result).toMatchObject({ ok: true, data: { changed: true } });
  expect((await sandbox.capstan(pause)).result).toMatchObject({ ok: true, data: { changed: false } });
  expect(await summary()).toMatchObject({ standing: 'paused', pause: { reason: 'kernel update' } });
  const { result } = await sandbox.capstan<{ clusters: readonly ClusterSummary[] }>(['status']);
  expect(result.data.clusters.map(({ automaticFailover }) => automaticFailover.standing)).toEqual([
    'paused',
    'on',
  ]);
  expect(await automaticCheck()).toBe('fail');
  const plan = await sandbox.capstan(['failover', 'plan', 'c1']);
  expect(plan.result.data).toMatchObject({ automatic: { wouldRun: false, standing: 'paused' } });
  await must(sandbox, 'cluster', 'unpause', 'c1');
  expect(await summary()).toEqual({ standing: 'on', pause: null, block: null });
  expect(await automaticCheck()).toBe('pass');
  const nothing = await sandbox.capstan(['cluster', 'acknowledge', 'c1', '--reason', 'nothing']);
  expect(nothing.result).toMatchObject({ ok: true, data: { changed: false, block: null } });
});

test('a leader’s host is killed under load: decisions go on by themselves, and nothing confirmed is lost', async (context) => {
  const desks = openDesks(sandbox, new History());
  try {
    const before = await clusterState(sandbox, 'c1');
    const issuers = await freshIssuers(desks, {
      cluster: 'c1',
      count: 3,
      limit: '900000',
      prefix: 'automatic',
    });
    const load = startLoad({ desks, callersPerGateway: CALLERS, issuers, seed: 1, name: 'automatic' });
    await delay(WARM_MS);
    await must(sandbox, 'sandbox', 'kill', String(before.leader));
    const killedAt = performance.now();
    const first = await eventually(
      'a decision after the kill',
      () =>
        desks.history.attempts.find(
          ({ kind, issuer, invokedAt }) =>
            kind === 'ok' && invokedAt > killedAt && clusterOf(issuer) === 'c1',
        ),
      BACK_WITHIN_MS,
    );
    await delay(WARM_MS);
    await load.stop();
    expect(await verdict(sandbox, desks)).toEqual([]);

    const after = await clusterState(sandbox, 'c1');
    expect(after.leader).not.toBe(before.leader);
    expect(after.term).toBe(Number(before.term) + 1);
    const { result } = await sandbox.capstan<ClusterHistoryData>(['cluster', 'history', 'c1']);
    const last = result.data.terms.at(-1);
    expect(result.data.terms).toHaveLength(2);
    expect(last).toMatchObject({
      leader: after.leader,
      end: 'current',
      actor: `agent:${after.leader}`,
      expectedLoss: '0',
      fence: { kind: 'frozen-voters', frozen: [after.leader] },
    });
    expect(last?.pauseMs).toEqual(expect.any(Number));
    const back = Math.round(first.answeredAt - killedAt);
    report(
      context,
      `killed to first decision ${back} ms (fence to serving ${last?.pauseMs} ms, last renewal to serving ${last?.faultToServingMs} ms); ${desks.history.summary()}`,
    );
  } finally {
    await desks.close();
  }
});
