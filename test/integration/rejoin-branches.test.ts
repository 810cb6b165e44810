import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest';
import { runFailover } from '../../src/controlplane/failover/run.ts';
import { signOffLoss } from '../../src/controlplane/loss/sign-off.ts';
import { resumeOperation } from '../../src/controlplane/operation/control.ts';
import { stepResult } from '../../src/controlplane/operation/record.ts';
import { CapstanError } from '../../src/domain/errors.ts';
import type { DecidedPrefix } from '../../src/domain/records.ts';
import { decideOnce, headPosition } from '../support/agent-claims.ts';
import { CLUSTER, createTestEstate, type TestEstate, TRIO } from '../support/agents.ts';
import { eventually } from '../support/etcd.ts';
import { comeBack, failOverFrom, killPostgres, rejoin, resultOf } from '../support/rejoin.ts';

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

/** The first timeline's end in the history of a member that is on the second. */
async function leftAt(member: string): Promise<string | undefined> {
  const client = await world.connect(member);
  const { rows } = await client.query<{ text: string }>(
    `select pg_read_file('pg_wal/00000002.history') as text`,
  );
  return rows[0]?.text.trim();
}

test('a member of another branch that bears the same number, begun at the same point, is no follower', async () => {
  onTestFailed(async () => {
    process.stderr.write(await world.logs());
  });
  expect(await decideOnce(await world.connect('m1', 'gateway'), 1)).toBe('decided');
  // The observer is frozen like the rest, and doesn't hear of the new leader, nor of its timeline.
  await failOverFrom(world, 'm1', () => {
    world.agent('m3').signal('SIGSTOP');
    return Promise.resolve();
  });
  await comeBack(world, 'm1');
  await rejoin(world, 'm1');
  await world.untilLeased('m2');
  const gateway = await world.connect('m2', 'gateway');
  const { membership } = await world.view();
  for (let count = 0; count < 3; count += 1)
    expect(await decideOnce(gateway, 2, membership?.value.epoch)).toBe('decided');
  const lost = await headPosition(world, 'm1');
  const first = await leftAt('m1');
  const held = await (
    await world.connect('m1')
  ).query<{ lsn: string }>('select pg_last_wal_replay_lsn()::text as lsn');

  await killHost('m1');
  await killHost('m2');
  world.agent('m3').signal('SIGCONT');
  await world.until('m3 is heard again', ({ heartbeats }) => heartbeats.has('m3'));
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
  const prefix = stepResult(operation, 'decide')?.['prefix'] as DecidedPrefix;
  expect(prefix).toMatchObject({ member: 'm3', timeline: 1 });
  expect(BigInt(prefix.positions['0'] ?? 0)).toBeLessThan(BigInt(lost));
  // Nothing but its content tells the two timelines apart.
  expect(await leftAt('m3')).toBe(first);
  const leader = await world.connect('m3');
  await leader.query('create table filler (line text)');
  await eventually('the new leader has written more than m1 holds', async () => {
    await leader.query(`insert into filler values ('more')`);
    const { rows } = await leader.query<{ more: boolean }>(
      `select pg_switch_wal() > $1::pg_lsn + wal.setting::integer as more from pg_settings wal
         where name = 'wal_segment_size'`,
      [held.rows[0]?.lsn],
    );
    return rows[0]?.more === true ? true : undefined;
  });

  world.agent('m1').start();
  const view = await world.until(
    'm1 is judged',
    ({ heartbeats, losses }) =>
      heartbeats.get('m1')?.value.state === 'quarantined' ||
      losses.get(operation.id)?.value.members['m1']?.state === 'salvaged',
    60_000,
  );
  expect(view.heartbeats.get('m1')?.value).toMatchObject({ state: 'quarantined' });
  expect(view.losses.get(operation.id)?.value.members['m1']).toMatchObject({ state: 'pending' });

  // What it holds is named before its data goes, and pg_rewind, which knows timelines by number, is not relied on.
  const stopped: unknown = await rejoin(world, 'm1').catch((error: unknown) => error);
  if (!(stopped instanceof CapstanError)) throw new Error(String(stopped));
  expect(stopped.code).toBe('loss_not_signed_off');
  const given = { etcd: world.port, keys: world.keys, actor: 'test' };
  const signed = await signOffLoss({ ...given, operation: operation.id, waive: ['m2'], reason: 'test' });
  expect(signed.record.lost).toBeGreaterThanOrEqual(3);
  const done = await resumeOperation({ ...given, id: String(stopped.data['operation']) });
  expect(resultOf(done.operation, 'restore')).toMatchObject({ method: 'reclone' });
}, 240_000);
