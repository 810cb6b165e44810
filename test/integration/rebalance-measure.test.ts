import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/clock/system-clock.ts';
import { measureClusters } from '../../src/controlplane/rebalance/measure.ts';
import { readMoveLeftovers } from '../../src/postgres/queries/move-leftovers.ts';
import { readReplicationRoom } from '../../src/postgres/queries/replication-room.ts';
import { SCOPE, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { decided, reserve, setLimit } from '../support/reservation-commands.ts';
import { wellCluster } from '../support/rebalance-inputs.ts';

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
  const gateway = await postgres.connect('gateway');
  await decided(gateway, SCOPE, setLimit('limit', 10_000n));
  for (let batch = 0; batch < 4; batch += 1)
    await decided(gateway, SCOPE, ...Array.from({ length: 250 }, (_, n) => reserve(`t-${batch}-${n}`, 1n)));
});
afterAll(() => postgres.stop());

const operator = () => postgres.connect('operator');

it('what shards cost is read as the operator: by position, and decisions by two looks', async () => {
  const gateway = await postgres.connect('gateway');
  const client = await operator();
  const clock = {
    ...systemClock,
    // Between the two looks something is decided.
    sleep: async () => {
      await decided(gateway, SCOPE, ...Array.from({ length: 64 }, (_, n) => reserve(`later-${n}`, 1n)));
    },
  };
  const measured = await measureClusters({
    views: [wellCluster('c1'), wellCluster('c2')],
    connect: async (cluster) => {
      if (cluster === 'c2') throw new Error('nobody there');
      return { client, drop: () => undefined };
    },
    diskFreeBytes: new Map(),
    clock,
  });
  const side = measured.get('c1');
  if (side?.kind !== 'measured') throw new Error('c1 was not measured');
  const [busy, idle] = [side.costs.get(184), side.costs.get(183)];
  // 1,065 decisions: a row of the log, a token and a reservation each.
  expect(busy?.rows).toBeGreaterThanOrEqual(2_100);
  expect(busy?.rows).toBeLessThanOrEqual(3_300);
  expect(busy?.bytes).toBeGreaterThan(100_000);
  expect(busy?.decisionsPerSecond).toBeGreaterThan(0);
  expect(idle).toEqual({ rows: 0, bytes: 0, decisionsPerSecond: 0 });
  expect(side.diskFreeBytes).toBeNull();
  expect(measured.get('c2')).toEqual({ kind: 'unreachable', why: 'nobody there' });
});

it('what logical replication demands is there in an estate’s own Postgres, and missed where it isn’t', async () => {
  const client = await operator();
  const room = await readReplicationRoom(client);
  expect(room).toMatchObject({ inRecovery: false, walLevel: 'logical', tablesWithoutIdentity: [] });
  expect(room.majorVersion).toBeGreaterThanOrEqual(15);
  expect(room.migrations.length).toBeGreaterThan(10);
  expect(room.slots.max - room.slots.used).toBeGreaterThan(0);
  const superuser = await postgres.connect('superuser');
  await superuser.query('alter table capstan.outbox replica identity nothing');
  expect((await readReplicationRoom(client)).tablesWithoutIdentity).toEqual(['outbox']);
  await superuser.query('alter table capstan.outbox replica identity default');
});

it('what moves have left behind is found by name, and rows by shard', async () => {
  const superuser = await postgres.connect('superuser');
  await superuser.query('create publication capstan_old_1_a1_l0_t1; create publication capstanish');
  await superuser.query(`select pg_create_logical_replication_slot('capstan_old_1_a1_l0_t1', 'pgoutput')`);
  await superuser.query('set session_replication_role = replica');
  await superuser.query(`insert into capstan.issuer_exposure values (9, 'I', 1, 0, 0, 1)`);
  const found = await readMoveLeftovers(await operator(), { prefix: 'capstan_', shardCount: 480 });
  expect(found).toEqual({
    subscriptions: [],
    slots: ['capstan_old_1_a1_l0_t1'],
    publications: ['capstan_old_1_a1_l0_t1'],
    shards: [9, 183, 184, 185],
  });
  await superuser.query(`select pg_drop_replication_slot('capstan_old_1_a1_l0_t1')`);
});
