import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest';
import { runFailover } from '../../src/controlplane/failover/run.ts';
import { readReport } from '../../src/controlplane/loss/report.ts';
import { signOffLoss } from '../../src/controlplane/loss/sign-off.ts';
import { resumeOperation } from '../../src/controlplane/operation/control.ts';
import { CapstanError } from '../../src/domain/errors.ts';
import { decideOnce, headPosition } from '../support/agent-claims.ts';
import { CLUSTER, createTestEstate, type TestEstate, TRIO } from '../support/agents.ts';
import { comeBack, killPostgres, rejoin, resultOf, writeAlone } from '../support/rejoin.ts';

let world: TestEstate;

beforeAll(async () => {
  world = await createTestEstate(TRIO);
  world.startAll();
  await world.untilFollowed('m1');
});
afterAll(async () => {
  await world.stop();
});

async function killHost(member: string): Promise<void> {
  await world.agent(member).end('SIGKILL');
  await killPostgres(world, member);
}

test('after a regional failover both hosts of the old region come back, and each lost decision is named', async () => {
  onTestFailed(async () => {
    process.stderr.write(await world.logs());
  });
  expect(await decideOnce(await world.connect('m1', 'gateway'), 1)).toBe('decided');
  await world.until('all is in the other region', ({ heartbeats }) => {
    const leader = heartbeats.get('m1')?.value;
    return leader?.followers.find(({ member }) => member === 'm3')?.lagBytes === '0';
  });
  const first = BigInt(await headPosition(world, 'm1')) + 1n;
  // The region is cut off, its follower and then its leader die: what the leader wrote last is nowhere else.
  await killHost('m2');
  const leader = await world.connect('m1');
  const remote = await world.connect('m3');
  await remote.query(`alter system set primary_conninfo = ''`);
  await remote.query('select pg_reload_conf()');
  await expect
    .poll(async () => (await remote.query('select 1 from pg_stat_wal_receiver')).rows.length, {
      timeout: 10_000,
    })
    .toBe(0);
  await writeAlone(leader, { shard: 0, first, term: 1, tokens: ['gone-1', 'gone-2'] });
  await killHost('m1');
  const { operation } = await runFailover({
    etcd: world.port,
    keys: world.keys,
    cluster: CLUSTER,
    region: 'madrid',
    force: true,
    acceptDegraded: true,
    acceptLoss: 1_000_000,
    attestIsolated: 'the test has killed both hosts',
    actor: 'test',
  });
  expect((await world.view()).losses.get(operation.id)?.value.status).toBe('open');

  // The follower held no more than the new leader does: it follows, and the record says so.
  world.agent('m2').start();
  await world.until(
    'm2 follows',
    ({ heartbeats, losses }) => {
      const { state } = heartbeats.get('m2')?.value ?? {};
      return state === 'following' && losses.get(operation.id)?.value.members['m2']?.state === 'salvaged';
    },
    60_000,
  );
  await comeBack(world, 'm1');
  const stopped: unknown = await rejoin(world, 'm1').catch((error: unknown) => error);
  if (!(stopped instanceof CapstanError)) throw new Error(String(stopped));
  expect(stopped.code).toBe('loss_not_signed_off');
  const signed = await signOffLoss({
    etcd: world.port,
    keys: world.keys,
    operation: operation.id,
    actor: 'test',
    reason: 'test',
  });
  expect(signed.record).toMatchObject({ status: 'signed-off', lost: 2 });
  const report = await readReport(world.port, world.keys, operation.id);
  // The follower was dead when they were written: nobody was told.
  expect(
    report.map(({ token, maybeAcknowledged, heldBy }) => ({ token, maybeAcknowledged, heldBy })),
  ).toEqual([
    { token: 'gone-1', maybeAcknowledged: false, heldBy: ['m1'] },
    { token: 'gone-2', maybeAcknowledged: false, heldBy: ['m1'] },
  ]);
  const id = String(stopped.data['operation']);
  const done = await resumeOperation({ etcd: world.port, keys: world.keys, id, actor: 'test' });
  expect(done.operation.status).toBe('done');
  expect(resultOf(done.operation, 'vote')).toMatchObject({ role: 'observer' });
  expect((await world.view()).heartbeats.get('m1')?.value.state).toBe('following');
}, 240_000);
