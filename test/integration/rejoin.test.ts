import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { decideOnce, headPosition } from '../support/agent-claims.ts';
import { createTestEstate, PAIR, type TestEstate } from '../support/agents.ts';
import { eventually } from '../support/etcd.ts';
import {
  comeBack,
  failOverFrom,
  killPostgres,
  rejoin,
  resultOf,
  salvagedEntries,
  writeAlone,
} from '../support/rejoin.ts';

let world: TestEstate;

beforeAll(async () => {
  world = await createTestEstate(PAIR);
  world.startAll();
  await world.untilFollowed('m1');
});
beforeEach(() => {
  onTestFailed(async () => {
    process.stderr.write(await world.logs());
  });
});
afterAll(async () => {
  await world.stop();
});

/** Kills a leader at a moment when its follower has all its log: Postgres itself writes some every few seconds. */
async function endWithNothingOfItsOwn(leader: string, follower: string): Promise<void> {
  await world.agent(leader).end('SIGKILL');
  const client = await world.connect(leader);
  await eventually('the follower has all', async () => {
    const { rows } = await client.query(
      `select 1 from pg_stat_replication where application_name like $1 and flush_lsn = pg_current_wal_insert_lsn()`,
      [`${follower}_%`],
    );
    return rows.length > 0 ? true : undefined;
  });
  await client.end();
  await killPostgres(world, leader);
}

/** One estate over several failovers, each claim after the one before. */
describe('the old leader of an in-region failover', () => {
  test('rejoins by rewind: what only it held is kept, and it votes again', async () => {
    expect(await decideOnce(await world.connect('m1', 'gateway'), 1)).toBe('decided');
    const first = BigInt(await headPosition(world, 'm1')) + 1n;
    const old = await world.connect('m1');
    await failOverFrom(world, 'm1', () =>
      writeAlone(old, { shard: 0, first, term: 1, tokens: ['alone-1', 'alone-2'] }),
    );
    await comeBack(world, 'm1');
    const { operation } = await rejoin(world, 'm1');

    expect(operation.status).toBe('done');
    expect(resultOf(operation, 'salvage')).toMatchObject({ found: 2, under: operation.id });
    expect(resultOf(operation, 'restore')).toMatchObject({ method: 'rewind', reason: null });
    const entries = await salvagedEntries(world, operation.id, 'm1');
    expect(
      entries.map(({ token, position, heldBy, maybeAcknowledged }) => ({
        token,
        position,
        heldBy,
        maybeAcknowledged,
      })),
    ).toEqual([
      { token: 'alone-1', position: String(first), heldBy: ['m1'], maybeAcknowledged: false },
      { token: 'alone-2', position: String(first + 1n), heldBy: ['m1'], maybeAcknowledged: false },
    ]);
    const file = await readFile(`${world.dataDir('m1')}.agent/salvage-${operation.id}.jsonl`, 'utf8');
    expect(
      file
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { token: string }).token),
    ).toEqual(['alone-1', 'alone-2']);

    const view = await world.view();
    const incarnation = view.members.get('m1')?.value.incarnation;
    expect(view.membership?.value).toMatchObject({ epoch: 3, members: { m1: { role: 'voter' } } });
    expect(view.inSync?.value).toMatchObject({ degraded: false, voters: [{ member: 'm1', incarnation }] });
    expect([view.rejoins.size, view.salvaged.size, view.restored.size]).toEqual([0, 0, 0]);
    await world.untilLeased('m2');
    expect(await decideOnce(await world.connect('m2', 'gateway'), 2, 3)).toBe('decided');
    const rejoined = await world.connect('m1');
    const { rows } = await rejoined.query(
      `select 1 from capstan.outbox where reservation_token like 'alone-%'`,
    );
    expect(rows).toEqual([]);
  });

  test('is cloned anew when pg_rewind says that no rewind is required', async () => {
    await endWithNothingOfItsOwn('m2', 'm1');
    await failOverFrom(world, 'm2');
    await comeBack(world, 'm2');
    const { operation } = await rejoin(world, 'm2');
    expect(operation.status).toBe('done');
    expect(resultOf(operation, 'salvage')).toMatchObject({ found: 0 });
    expect(resultOf(operation, 'restore')).toMatchObject({
      method: 'reclone',
      reason: 'pg_rewind says that no rewind is required',
    });
    await world.untilLeased('m1');
    expect(await decideOnce(await world.connect('m1', 'gateway'), 3, 5)).toBe('decided');
  });

  test('rejoins although its agent is killed while it salvages, and again while it restores', async () => {
    const first = BigInt(await headPosition(world, 'm1')) + 1n;
    const old = await world.connect('m1');
    await failOverFrom(world, 'm1', () => writeAlone(old, { shard: 0, first, term: 3, tokens: ['alone-3'] }));
    await comeBack(world, 'm1');
    const former = (await world.view()).members.get('m1')?.value.incarnation;
    const rejoining = rejoin(world, 'm1');
    await eventually('Postgres is open for its salvage', async () =>
      (await world.postmaster('m1')) > 1 ? true : undefined,
    );
    await world.agent('m1').end('SIGKILL');
    world.agent('m1').start();
    await world.until('it is salvaged', ({ salvaged }) => salvaged.has('m1'), 60_000);
    await world.until(
      'it is to restore',
      ({ rejoins }) => rejoins.get('m1')?.value.stage === 'restore',
      60_000,
    );
    await eventually('it has begun to', async () => {
      const text = await readFile(`${world.dataDir('m1')}.agent/memory.json`, 'utf8');
      return (JSON.parse(text) as { restore: unknown }).restore === null ? undefined : true;
    });
    await world.agent('m1').end('SIGKILL');
    world.agent('m1').start();
    const { operation } = await rejoining;
    expect(operation.status).toBe('done');
    expect(resultOf(operation, 'salvage')).toMatchObject({ found: 1 });
    const view = await world.view();
    const incarnation = view.members.get('m1')?.value.incarnation;
    expect(incarnation).not.toBe(former);
    expect(view.inSync?.value.voters).toEqual([{ member: 'm1', incarnation }]);
    const rejoined = await world.connect('m1');
    const { rows } = await rejoined.query(
      `select 1 from capstan.outbox where reservation_token like 'alone-%'`,
    );
    expect(rows).toEqual([]);
  });
});
