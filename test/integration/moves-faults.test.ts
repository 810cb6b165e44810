import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { closeConnection } from '../../src/postgres/connection.ts';
import { eventually } from '../support/etcd.ts';
import { MoveDriver } from '../support/move-driver.ts';
import { type MoveLoad, startMoveLoad } from '../support/move-load.ts';
import { leftOvers, movedRows, rowCount } from '../support/move-rows.ts';
import { sized } from '../support/proof.ts';
import { failOverWithin, FROM, startTwoClusters, TO, type TwoClusters } from '../support/two-clusters.ts';

let world: TwoClusters;
let shards: readonly number[];
let staying: number;
let others: readonly number[];
let load: MoveLoad;
let move: MoveDriver;

beforeAll(async () => {
  world = await startTwoClusters({ observers: [TO] });
  const owned = (cluster: string) =>
    [...world.view().shards.values()].flatMap(({ value }) =>
      value.cluster === cluster ? [value.shard] : [],
    );
  shards = owned(FROM).slice(0, 3);
  staying = owned(FROM)[3] ?? -1;
  others = owned(TO).slice(0, 1);
  load = startMoveLoad(world, [...shards, staying, ...others]);
  await world.untilOpen();
  await untilDecided(20);
}, 180_000);
beforeEach(() => {
  onTestFailed(async () => {
    process.stderr.write(await world.logs());
  });
});
afterAll(async () => {
  await load.stop();
  await world.stop();
});

function untilDecided(more: number, timeoutMs = 60_000) {
  const before = load.confirmed.filter(({ shard }) => shards.includes(shard)).length;
  const enough = () => load.confirmed.filter(({ shard }) => shards.includes(shard)).length > before + more;
  return eventually('more is decided', () => (enough() ? true : undefined), timeoutMs);
}

/** How many rows of the stream both leaders hold alike, once nothing more is decided. */
async function equalRows(): Promise<number> {
  await load.stop();
  const [from, to] = [world.leaderOf(FROM), world.leaderOf(TO)];
  await eventually('both have the same rows', async () => {
    const [one, other] = await Promise.all([movedRows(world, from, shards), movedRows(world, to, shards)]);
    return JSON.stringify(one) === JSON.stringify(other) ? true : undefined;
  });
  load = startMoveLoad(world, [...shards, staying, ...others]);
  return rowCount(world, to, shards);
}

/** The request itself may be cancelled by what is then replayed. */
const replayGoesOn = () =>
  eventually('replay goes on', async () => {
    await world.ask('n3', 'select pg_wal_replay_resume()').catch(() => undefined);
    const rows = await world
      .ask<{ paused: boolean }>('n3', 'select pg_is_wal_replay_paused() as paused')
      .catch(() => []);
    return rows[0]?.paused === false ? true : undefined;
  });

const mapStates = () => new Set(shards.map((shard) => world.view().shards.get(shard)?.value.state));

/** Rows that the test planted, and those of them that it changed. */
async function planted(member: string, shard: number) {
  const rows = await world.ask<{ n: number; desks: number }>(
    member,
    `select count(*)::int as n, count(*) filter (where desk = 'touched')::int as desks
      from capstan.reservation_token where shard_id = $1 and issuer_id = 'PLANTED'`,
    [shard],
  );
  return rows[0];
}

describe('a copy', () => {
  test('waits with the way back for a transaction that was open before it, and says whose', async () => {
    const old = await world.connect('n1');
    await old.query('begin');
    const { rows } = await old.query<{ pid: number }>('select pg_backend_pid() as pid, pg_current_xact_id()');
    move = await MoveDriver.begin(world, 'rebalance-20261130t130000-bb01', shards);
    const { following, wayBack } = await move.untilOther(
      'the way back waits',
      (report) => report.following && report.wayBack.waitingFor !== null,
    );
    expect(wayBack).toMatchObject({ slot: 'absent' });
    expect(wayBack.waitingFor).toContain(`pid ${rows[0]?.pid}`);
    expect(following).toBe(true);
    await old.query('commit');
    await closeConnection(old);
    await move.untilFollowing();
  }, 180_000);

  test('follows updates and deletions of its shards, and of no other', async () => {
    const change = async (text: string) => {
      for (const shard of [shards[0] ?? -1, staying]) await world.ask('m1', text, [shard]);
    };
    await change(
      `insert into capstan.reservation_token (shard_id, issuer_id, reservation_token, command, desk, outcome, position,
          generation, term, decided_at)
        select $1, 'PLANTED', 'p' || n, 'reserve', 'd', 'rejected', 0, 1, 1, now() from generate_series(1, 4) n`,
    );
    await change(
      `update capstan.reservation_token set desk = 'touched' where shard_id = $1 and reservation_token in ('p1', 'p2')`,
    );
    await change(
      `delete from capstan.reservation_token where shard_id = $1 and reservation_token in ('p2', 'p3')`,
    );
    await eventually('they are applied', async () => {
      const found = await planted('n1', shards[0] ?? -1);
      return found?.n === 2 && found.desks === 1 ? true : undefined;
    });
    expect(await planted('n1', staying)).toEqual({ n: 0, desks: 0 });
    expect(await planted('m1', staying)).toEqual({ n: 2, desks: 1 });
  }, 180_000);

  test('that a person pauses applies nothing until it is let go on', async () => {
    await move.send('noted', { paused: true });
    await move.untilOther('it is held back', ({ yielding }) => yielding !== null);
    expect((await world.ask('n1', 'select 1 from pg_subscription where subenabled')).length).toBe(0);
    await move.send('noted', { paused: false });
    await move.untilOther('it follows again', ({ following, yielding }) => following && yielding === null);
  }, 180_000);

  test('that meets an error says which, and goes on once the cause is gone', async () => {
    const shard = shards[0] ?? -1;
    await world.ask(
      'n1',
      `insert into capstan.outbox (shard_id, position, generation, term, event, issuer_id, desk, reservation_token, decided_at)
        select shard_id, position + 10, 1, 1, 'reserved', 'PLANTED', 'd', 'planted', now() from capstan.shard_head
          where shard_id = $1`,
      [shard],
    );
    const { problem } = await move.untilOther('the error shows', (report) => report.problem !== null);
    expect(problem).toMatch(/stopped applying at an error .*duplicate key/);
    await world.ask('n1', `delete from capstan.outbox where shard_id = $1 and issuer_id = 'PLANTED'`, [
      shard,
    ]);
    await move.untilOther('it goes on', (report) => report.following && report.problem === null);
  }, 180_000);

  test('wipes nothing that the map gives to the cluster which it would be copied to', async () => {
    const before = await rowCount(world, 'n1', others);
    const wrong = await MoveDriver.begin(world, 'rebalance-20261130t130000-bb02', others);
    const { wiped } = await wrong.untilOther(
      'it is refused',
      ({ problem }) => problem?.includes('nothing is wiped') === true,
    );
    expect(wiped).toBe(false);
    expect(await rowCount(world, 'n1', others)).toBeGreaterThanOrEqual(before);
    await wrong.remove();
    await eventually('nothing of it is left', async () =>
      (await leftOvers(world, 'm1')).some((name) => name.includes('bb02')) ? undefined : true,
    );
  }, 180_000);

  test('whose slot is gone is made anew', async () => {
    const { attempt } = move.record();
    await eventually('the slot is dropped', async () => {
      await world.ask('m1', `select pg_terminate_backend(active_pid) from pg_replication_slots where active`);
      const rows = await world.ask(
        'm1',
        `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name like $1 and not active`,
        [`${move.prefix}%`],
      );
      return rows.length > 0 ? true : undefined;
    });
    await move.until('it is copied anew', (record) => record.attempt > attempt);
    await move.untilFollowing();
    expect(await equalRows()).toBeGreaterThan(0);
  }, 180_000);
});

describe('a seal', () => {
  test('never arrives while an observer has not replayed it, and is taken back by the owner at its deadline', async () => {
    await move.untilFollowing();
    await world.ask('n3', 'select pg_wal_replay_pause()');
    try {
      const budgetMs = sized({ full: 2_500, quick: 1_000 });
      const { atMs } = await move.seal(budgetMs);
      const { arrived } = await move.untilOther(
        'it is held up',
        ({ problem }) => problem?.includes('observer n3') === true,
      );
      expect(arrived).toBeNull();
      expect(mapStates()).toEqual(new Set(['sealed']));
      await move.until('it is backed out', ({ phase }) => phase === 'follow');
      expect(performance.now() - atMs).toBeGreaterThan(budgetMs + 1_900);
      expect(move.record().error?.code).toBe('seal_deadline');
    } finally {
      await replayGoesOn();
    }
    expect(mapStates()).toEqual(new Set(['serving']));
    await untilDecided(5);
  }, 180_000);

  test('is made again by an agent that was killed, and its deadline holds from there', async () => {
    await move.untilFollowing();
    await world.agent('m1').end('SIGKILL');
    const budgetMs = sized({ full: 1_500, quick: 300 });
    const { atMs } = await move.seal(budgetMs);
    world.agent('m1').start();
    await move.untilOwner('it is sealed by the next run', ({ sealed }) => sealed !== null);
    await move.until('it is backed out', ({ phase }) => phase === 'follow');
    expect(performance.now() - atMs).toBeGreaterThan(budgetMs + 1_900);
    await untilDecided(5);
  }, 180_000);

  test('is taken back at once when the owner has another leader, and the shards are copied anew from it', async () => {
    await move.untilFollowing();
    const { attempt } = move.record();
    await move.seal(600_000);
    await move.untilOwner('the owner is sealed', ({ sealed }) => sealed !== null);
    await failOverWithin(world, FROM);
    await move.until('it is set back', (record) => record.phase === 'copy' && record.attempt > attempt);
    expect(mapStates()).toEqual(new Set(['serving']));
    await move.untilFollowing();
    await untilDecided(5);
    expect(await equalRows()).toBeGreaterThan(0);
  }, 180_000);
});

describe('a receiver that fails over', () => {
  test('detaches what it inherited, and the shards are copied anew', async () => {
    const { attempt } = move.record();
    const before = await world.ask<{ name: string }>('n2', 'select subname as name from pg_subscription');
    expect(before).toHaveLength(1);
    await failOverWithin(world, TO);
    expect(world.leaderOf(TO)).toBe('n2');
    await move.until('it is set back', (record) => record.attempt > attempt);
    await move.untilFollowing();
    const after = await world.ask<{ name: string }>('n2', 'select subname as name from pg_subscription');
    expect(after).toHaveLength(1);
    expect(after[0]?.name).not.toBe(before[0]?.name);
    expect(await equalRows()).toBeGreaterThan(0);
  }, 180_000);

  test('and clean leaves nothing of any attempt on either leader', async () => {
    await move.send('clean');
    await move.untilClean();
    for (const member of [world.leaderOf(FROM), 'n2'])
      expect((await leftOvers(world, member)).filter((name) => name.includes('capstan_'))).toEqual([]);
    expect(await rowCount(world, 'n2', shards)).toBe(0);
    await move.remove();
    expect(load.odd).toEqual([]);
  }, 180_000);
});
