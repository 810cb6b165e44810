import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClusterHistoryData } from '../../src/cli/schemas/cluster-history.ts';
import { openDesks } from '../support/desk-client.ts';
import { startLoad } from '../support/desk-load.ts';
import { eventually } from '../support/etcd.ts';
import { History } from '../support/history.ts';
import { report } from '../support/proof.ts';
import { clusterState, freshIssuers, verdict } from '../support/read-back.ts';
import { startSandbox, type TestSandbox } from '../support/sandbox.ts';

const CALLERS = 4;
const WARM_MS = 1_500;
/** For a machine that other tests keep busy. */
const BUDGET = ['--pause-budget', '15s'];
/** Commands wait in the gateways for 2.5 s, less what a busy machine takes until a pause is noticed. */
const UNHEARD_MS = 2_000;

let sandbox: TestSandbox;

beforeAll(async () => {
  sandbox = await startSandbox();
});
afterAll(() => sandbox?.down());

interface Run {
  readonly leader: string | null;
  readonly pauseMs: number | null;
  readonly plan: { readonly hash: string; readonly target: string | null };
}

test('a dry run shows the plan that a run with its hash takes, and changes nothing', async () => {
  const before = await clusterState(sandbox, 'c1');
  const { result } = await sandbox.capstan<Run>(['switchover', 'run', 'c1', '--dry-run', ...BUDGET]);
  expect(result).toMatchObject({ ok: true, data: { changed: false, dryRun: true, operation: null } });
  expect(result.data.plan.target).not.toBe(before.leader);
  const other = ['switchover', 'run', 'c1', '--plan', 'another', '--confirm=c1', ...BUDGET];
  expect((await sandbox.capstan(other)).result.error?.code).toBe('plan_drifted');
  const far = ['switchover', 'plan', 'c1', '--target', String(before.leader)];
  expect((await sandbox.capstan(far)).result.error?.code).toBe('target_not_candidate');
  const { leader, term } = before;
  expect(await clusterState(sandbox, 'c1')).toMatchObject({ leader, term, phase: 'open' });
});

test('under load no caller hears of a switchover, there or back, and each decision is kept', async (context) => {
  const desks = openDesks(sandbox, new History());
  try {
    const before = await clusterState(sandbox, 'c1');
    const issuers = await freshIssuers(desks, {
      cluster: 'c1',
      count: 4,
      limit: '900000',
      prefix: 'switchover',
    });
    const load = startLoad({ desks, callersPerGateway: CALLERS, issuers, seed: 7, name: 'switchover' });
    const pauses: (number | null)[] = [];
    let leader = before.leader;
    for (const round of [1, 2]) {
      await delay(WARM_MS);
      const run = ['switchover', 'run', 'c1', '--confirm=c1', ...BUDGET];
      const data = await eventually(
        `switchover ${round}`,
        async () => {
          const { result } = await sandbox.capstan<Run>(run);
          if (result.ok) return result.data;
          // The former leader is taken in again first, and the claim proved anew.
          expect(['cluster_degraded', 'no_candidate', 'rpo_gate_on']).toContain(result.error?.code);
          return undefined;
        },
        60_000,
      );
      expect(data.leader).not.toBe(leader);
      leader = data.leader;
      pauses.push(data.pauseMs);
    }
    await delay(WARM_MS);
    await load.stop();
    const short = pauses.every((pauseMs) => Number(pauseMs) < UNHEARD_MS);
    const heard = desks.history.attempts.filter(({ kind }) => kind !== 'ok');
    expect(short ? heard : []).toEqual([]);
    expect(await verdict(sandbox, desks)).toEqual([]);
    expect(leader).toBe(before.leader);
    const { result } = await sandbox.capstan<ClusterHistoryData>(['cluster', 'history', 'c1']);
    expect(result.data.terms.map(({ end }) => end)).toEqual(['switchover', 'switchover', 'current']);
    report(context, `pauses ${pauses.join(' and ')} ms; ${desks.history.summary()}`);
  } finally {
    await desks.close();
  }
});
