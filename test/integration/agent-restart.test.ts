import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { isAlive } from '../../src/agent/postmaster.ts';
import { decideOnce, REFUSALS } from '../support/agent-claims.ts';
import { createTestEstate, PAIR, type TestEstate } from '../support/agents.ts';
import { eventually } from '../support/etcd.ts';

let world: TestEstate;

beforeAll(async () => {
  world = await createTestEstate(PAIR);
  world.startAll();
  await world.untilLeased('m1');
});
beforeEach(() => {
  onTestFailed(async () => {
    process.stderr.write(await world.logs());
  });
});
afterAll(async () => {
  await world.stop();
});

const grantId = async (): Promise<string | undefined> => {
  const client = await world.connect('m1');
  const { rows } = await client.query<{ grant_id: string }>('select grant_id from capstan.lease');
  await client.end();
  return rows[0]?.grant_id;
};

/** Each test leaves the cluster deciding under a valid lease. */
describe('what is killed comes back by the full path', () => {
  test('an agent killed with -9 leaves Postgres running; the next one takes it over and is granted anew', async () => {
    const pid = await world.postmaster('m1');
    const before = await grantId();
    await world.agent('m1').end('SIGKILL');
    expect(await isAlive(pid)).toBe(true);
    world.agent('m1').start();
    await eventually('another grant', async () => ((await grantId()) === before ? undefined : true));
    await world.untilLeased('m1');
    expect(await world.postmaster('m1')).toBe(pid);
  });

  test('a follower whose Postgres is killed streams again, and the in-sync record stands all along', async () => {
    const record = (await world.view()).inSync;
    process.kill(await world.postmaster('m2'), 'SIGKILL');
    const leader = await world.connect('m1');
    await eventually('the follower is synchronous again', async () => {
      const { rows } = await leader.query(
        `select 1 from pg_stat_replication where sync_state = 'quorum' and application_name like 'm2_%'`,
      );
      return rows.length === 1 ? true : undefined;
    });
    expect((await world.view()).inSync?.revision).toBe(record?.revision);
    expect(await decideOnce(await world.connect('m1', 'gateway'), 1)).toBe('decided');
  });

  test('a backend killed with -9 ends fenced, and the leader comes back by the full grant path', async () => {
    const client = await world.connect('m1', 'gateway');
    const victim = await world.connect('m1', 'reader');
    const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid');
    const before = await world.postmaster('m1');
    process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
    const answers = new Set<string>();
    await eventually('Postgres ended', async () => {
      answers.add(await decideOnce(client, 1));
      return (await isAlive(before)) ? undefined : true;
    });
    await world.untilLeased('m1');
    expect(await world.postmaster('m1')).not.toBe(before);
    expect(await decideOnce(await world.connect('m1', 'gateway'), 1)).toBe('decided');
  });

  test('a restarted leader is not granted while its recorded follower is down', async () => {
    await world.agent('m2').end('SIGTERM');
    const ended = await world.postmaster('m1');
    process.kill(ended, 'SIGQUIT');
    await eventually('it has ended', async () => ((await isAlive(ended)) ? undefined : true));
    await world.until('the leader waits for the in-sync set', ({ heartbeats }) => {
      const beat = heartbeats.get('m1')?.value;
      return beat?.state === 'opening' && beat.writable && beat.reason?.includes('in-sync set') === true;
    });
    const direct = await world.connect('m1', 'gateway');
    expect(REFUSALS).toContain(await decideOnce(direct, 1));
    expect(await world.isLeased('m1')).toBeUndefined();
    world.agent('m2').start();
    await world.untilLeased('m1');
    expect(await decideOnce(direct, 1)).toBe('decided');
  });
});
