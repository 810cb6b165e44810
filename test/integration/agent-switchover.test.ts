import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { runSwitchover } from '../../src/controlplane/switchover/run.ts';
import { stepResult } from '../../src/controlplane/operation/record.ts';
import { CapstanError } from '../../src/domain/errors.ts';
import { eventually } from '../support/etcd.ts';
import { CLUSTER, createTestEstate, type TestEstate, TRIO } from '../support/agents.ts';
import { missingAt, startDirectLoad } from '../support/direct-load.ts';

/** A budget for a machine that other tests keep busy. */
const BUDGET_MS = 16_000;
/** For one that can't be kept. */
const SHORT_BUDGET_MS = 6_000;
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
    expect(stepResult(operation, 'settle')?.['pauseMs']).toBeTypeOf('number');
  }, 180_000);

  test('and back, after which each has led, followed and led again on the same data', async () => {
    const view = await untilWhole('m2', 'm1');
    const load = startDirectLoad(world);
    await switchOver('m1');
    await untilWhole('m1', 'm2');
    await load.stop();
    const after = await world.view();
    expect(after.authority?.value).toMatchObject({ term: 3, leader: 'm1', phase: 'open' });
    for (const member of ['m1', 'm2'])
      expect(after.members.get(member)?.value.incarnation).toBe(view.members.get(member)?.value.incarnation);
    expect(await missingAt(world, 'm1', load.confirmed)).toEqual([]);
  }, 180_000);

  test('backs out when the target can not catch up, and the old leader decides again', async () => {
    await untilWhole('m1', 'm2');
    const follower = await world.connect('m2');
    const { rows } = await follower.query<{ pid: number }>('select pid from pg_stat_wal_receiver');
    const receiver = rows[0]?.pid ?? 0;
    const load = startDirectLoad(world);
    await eventually('there is load', () => (load.confirmed.length > 10 ? true : undefined));
    process.kill(receiver, 'SIGSTOP');
    try {
      const error: unknown = await switchOver('m2', SHORT_BUDGET_MS).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(CapstanError);
      expect(error).toMatchObject({ code: 'switchover_backed_out', exit: 4 });
    } finally {
      process.kill(receiver, 'SIGCONT');
    }
    expect((await world.view()).authority?.value).toMatchObject({ term: 3, leader: 'm1', phase: 'open' });
    const before = load.confirmed.length;
    await eventually(
      'it decides again',
      () => (load.confirmed.length > before + 10 ? true : undefined),
      60_000,
    );
    await load.stop();
    expect(await missingAt(world, 'm1', load.confirmed)).toEqual([]);
    const view = await untilWhole('m1', 'm2');
    expect(view.activeOperation).toBeUndefined();
  }, 180_000);
});
