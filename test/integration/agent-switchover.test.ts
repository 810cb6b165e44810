import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { runSwitchover } from '../../src/controlplane/switchover/run.ts';
import { stepResult } from '../../src/controlplane/operation/record.ts';
import { CLUSTER, createTestEstate, type TestEstate, TRIO } from '../support/agents.ts';
import { missingAt, startDirectLoad } from '../support/direct-load.ts';

/** A budget for a machine that other tests keep busy. */
const BUDGET_MS = 8_000;
let world: TestEstate;

beforeAll(async () => {
  world = await createTestEstate(TRIO, { shardCount: 480 });
  world.startAll();
  await world.untilLeased('m1');
  await world.until('the observer follows', ({ members }) => members.has('m3'));
});
beforeEach(() => {
  onTestFailed(async () => {
    process.stderr.write(await world.logs());
  });
});
afterAll(async () => {
  await world.stop();
});

const switchOver = (target: string, pauseBudgetMs = BUDGET_MS) =>
  runSwitchover({
    etcd: world.port,
    keys: world.keys,
    cluster: CLUSTER,
    target,
    pauseBudgetMs,
    actor: 'test',
    ...(process.env['SWITCHOVER_TRACE'] === undefined
      ? {}
      : {
          onProgress: ({ step, state, detail, at }) =>
            process.stderr.write(`${at} ${step} ${state} ${detail ?? ''}\n`),
        }),
  });

/** Until the leader sees its voter in sync and near, so that a switchover may begin. */
const untilWhole = (leader: string, voter: string) =>
  world.until(
    `${voter} is in sync with ${leader}`,
    ({ inSync, heartbeats, claim }) =>
      inSync?.value.degraded === false &&
      inSync.value.voters.some(({ member }) => member === voter) &&
      heartbeats.get(voter)?.value.state === 'following' &&
      heartbeats.get(leader)?.value.state === 'leading' &&
      claim?.value.status === 'advertised' &&
      heartbeats.get(leader)?.value.followers.some(({ member }) => member === voter) === true,
    60_000,
  );

describe('a switchover of real members under load', () => {
  test('loses nothing that was confirmed, and the old leader follows by itself, as the same data', async () => {
    await untilWhole('m1', 'm2');
    const before = (await world.view()).members.get('m1')?.value.incarnation;
    const load = startDirectLoad(world);
    const { operation } = await switchOver('m2');
    expect(operation).toMatchObject({ status: 'done', kind: 'switchover' });
    const view = await untilWhole('m2', 'm1');
    await load.stop();
    expect(view.authority?.value).toMatchObject({ term: 2, leader: 'm2', phase: 'open' });
    expect(view.members.get('m1')?.value.incarnation).toBe(before);
    expect(view.inSync?.value.voters).toEqual([{ member: 'm1', incarnation: before }]);
    expect(view.activeOperation).toBeUndefined();
    expect(view.handoverRequest).toBeUndefined();
    expect(await missingAt(world, 'm2', load.confirmed)).toEqual([]);
    process.stderr.write(
      `confirmed ${load.confirmed.length}, gap ${Math.round(load.longestGapMs())} ms, pause ${String(stepResult(operation, 'settle')?.['pauseMs'])} ms\n`,
    );
  }, 180_000);
});
