/** What moves that are over left behind, and the leader's agent that is asked to sweep it. */
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import type { MoveOrphans, SweepReport } from '../../src/domain/sweep-records.ts';
import { askForSweep, isSwept, readOrphans, waitForSweep } from '../../src/controlplane/rebalance/sweep.ts';
import { readEstateSnapshot } from '../../src/controlplane/estate-snapshot.ts';
import { createPublication } from '../../src/agent/moves/statements.ts';
import { closeConnection, dropConnection } from '../../src/postgres/connection.ts';
import { eventually } from '../support/etcd.ts';
import { lateSweep } from '../support/late-sweep.ts';
import { MoveDriver } from '../support/move-driver.ts';
import { startMoveLoad } from '../support/move-load.ts';
import { leftOvers, movedRows, rowCount } from '../support/move-rows.ts';
import { FROM, startTwoClusters, TO, type TwoClusters } from '../support/two-clusters.ts';

const DEAD = 'capstan_20261101t000000dead_1_a1_l0_t1';
const NOTHING: MoveOrphans = { subscriptions: [], slots: [], publications: [], shards: [] };
/** More than one chunk of a wipe. */
const PLANTED = 6_000;

let world: TwoClusters;
let orphaned: number;
let copied: number;
let served: number;

beforeAll(async () => {
  world = await startTwoClusters();
  const owned = (cluster: string) =>
    [...world.view().shards.values()].flatMap(({ value }) =>
      value.cluster === cluster ? [value.shard] : [],
    );
  [orphaned = -1, copied = -1] = owned(FROM);
  [served = -1] = owned(TO);
  await world.untilOpen();
  const load = startMoveLoad(world, [copied, served]);
  await eventually('something is decided', () => (load.confirmed.length > 40 ? true : undefined));
  await load.stop();
}, 180_000);
beforeEach(() => {
  onTestFailed(async () => {
    process.stderr.write(await world.logs());
  });
});
afterAll(() => world.stop());

/** Rows as a copy that was given up leaves them. */
const plantRows = (shard: number, rows: number) =>
  world.ask(
    'n1',
    `insert into capstan.reservation_token (shard_id, issuer_id, reservation_token, command, desk, outcome, position,
        generation, term, decided_at)
      select $1, 'PLANTED', 'p' || n, 'reserve', 'd', 'rejected', 0, 1, 1, now() from generate_series(1, $2::int) n`,
    [shard, rows],
  );

/** As `capstan rebalance sweep` looks. */
const look = async () => {
  const { found } = await readOrphans({
    etcd: world.port,
    keys: world.keys,
    connect: async (_cluster, member) => {
      const client = await world.connect(member, 'operator');
      return { client, drop: () => dropConnection(client) };
    },
  });
  return found;
};

async function askFor(orphans: Partial<MoveOrphans>): Promise<SweepReport> {
  const { port: etcd, keys } = world;
  const estate = await readEstateSnapshot(etcd, keys);
  const found = { cluster: TO, member: 'n1', orphans: { ...NOTHING, ...orphans }, unknown: null };
  const request = await askForSweep({ etcd, keys, estate, found, actor: 'test' });
  return waitForSweep({ etcd, keys, cluster: TO, request, timeoutMs: 30_000 });
}

describe('what is asked to be swept', () => {
  test('goes where no live stream wants it: rows, a slot, a publication, a subscription', async () => {
    await plantRows(orphaned, PLANTED);
    await world.ask('n1', createPublication(DEAD, [orphaned]));
    await world.ask('n1', `select pg_create_logical_replication_slot($1, 'pgoutput')`, [DEAD]);
    await world.ask(
      'n1',
      `create subscription ${DEAD} connection 'host=127.0.0.1 port=1' publication ${DEAD} with (connect = false)`,
    );
    const found = await look();
    expect(found.map(({ cluster, unknown }) => [cluster, unknown])).toEqual([
      [FROM, null],
      [TO, null],
    ]);
    expect(found.map(({ orphans }) => orphans.shards)).toEqual([[], [orphaned]]);

    const all = { subscriptions: [DEAD], slots: [DEAD], publications: [DEAD], shards: [orphaned] };
    const { swept, left, member } = await askFor(all);
    expect({ swept, left, member }).toEqual({ swept: all, left: [], member: 'n1' });
    expect(await leftOvers(world, 'n1')).toEqual([]);
    expect(await rowCount(world, 'n1', [orphaned])).toBe(0);
    expect((await look()).every(({ orphans }) => isSwept(orphans))).toBe(true);
  }, 180_000);

  test('stays where the map gives the shard to the cluster, or it is nothing of a move, and the answer says why', async () => {
    const before = await movedRows(world, 'n1', [served]);
    await world.ask('n1', 'create publication somebody_else');
    const { swept, left } = await askFor({ publications: ['somebody_else'], shards: [served] });
    expect(swept).toEqual(NOTHING);
    expect(left).toEqual([
      { name: 'somebody_else', why: 'it does not bear the name of a move' },
      { name: `shard ${served}`, why: `the map gives it to ${TO}` },
    ]);
    expect(await movedRows(world, 'n1', [served])).toEqual(before);
    expect(await leftOvers(world, 'n1')).toEqual(['publication somebody_else']);
    await world.ask('n1', 'drop publication somebody_else');
  }, 180_000);

  test('stays where its Postgres serves the shard, whatever the map says by then', async () => {
    const held = await world.connect('n1');
    await plantRows(orphaned, 3);
    await held.query(
      `insert into capstan.shard_authority (shard_id, cluster, generation, state) values ($1, $2, 1, 'serving')`,
      [orphaned, TO],
    );
    const { swept, left } = await askFor({ shards: [orphaned] });
    expect(swept).toEqual(NOTHING);
    expect(left).toEqual([{ name: `shard ${orphaned}`, why: `shard ${orphaned} is serving here` }]);
    expect(await rowCount(world, 'n1', [orphaned])).toBe(3);
    await held.query('delete from capstan.shard_authority where shard_id = $1', [orphaned]);
    await closeConnection(held);
    expect((await askFor({ shards: [orphaned] })).swept.shards).toEqual([orphaned]);
  }, 180_000);
});

describe('a sweep that is held up between its look and its wipe until a later copy follows', () => {
  test('is refused by Postgres, and after another look leaves the copy and its objects alone', async () => {
    await plantRows(copied, 3);
    const late = lateSweep(world, { cluster: TO, member: 'n1', orphans: { ...NOTHING, shards: [copied] } });
    await late.looked;
    const move = await MoveDriver.begin(world, 'rebalance-20261130t140000-cc01', [copied]);
    await move.untilFollowing();
    const owner = await movedRows(world, 'm1', [copied]);
    expect(await movedRows(world, 'n1', [copied])).toEqual(owner);
    late.go();
    const { left, refusals } = await late.ended;
    expect(refusals).toEqual(['CP014']);
    expect(left).toEqual([
      { name: `shard ${copied}`, why: expect.stringContaining('is live, and carries it') },
    ]);
    expect(await movedRows(world, 'n1', [copied])).toEqual(owner);

    const own = (await leftOvers(world, 'n1')).find((one) => one.startsWith('subscription '));
    const name = own?.slice('subscription '.length) ?? '';
    const answer = await askFor({ subscriptions: [name], slots: [name], shards: [copied] });
    expect(answer.swept).toEqual(NOTHING);
    expect(answer.left.map((one) => one.name)).toEqual([name, name, `shard ${copied}`]);
    await move.untilOther('it follows still', ({ following }) => following);
    expect(await movedRows(world, 'n1', [copied])).toEqual(owner);
    await move.send('clean');
    await move.untilClean();
    await move.remove();
  }, 180_000);
});

describe('a report of a stream that is gone', () => {
  test('is removed by the leader of its cluster, and no other is', async () => {
    const { port, keys } = world;
    const operation = 'rebalance-20261130t150000-dd01';
    const put = (cluster: string) => {
      const value = JSON.stringify({ operation, stream: 1, cluster });
      return port.transact([], [{ kind: 'put', key: keys.moveReport(operation, 1, cluster), value }]);
    };
    for (const cluster of [FROM, TO, 'c3']) await put(cluster);
    const reports = () => [...world.view().moveReports.keys()].filter((key) => key.includes(operation));
    await world.until('its own are removed', () => reports().length === 1);
    expect(reports()).toEqual([keys.moveReport(operation, 1, 'c3')]);
  }, 60_000);
});
