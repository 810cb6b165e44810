import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { MoveDriver } from '../support/move-driver.ts';
import { type MoveLoad, startMoveLoad } from '../support/move-load.ts';
import { leftOvers, movedRows, rowCount } from '../support/move-rows.ts';
import { eventually } from '../support/etcd.ts';
import { failOverWithin, FROM, startTwoClusters, TO, type TwoClusters } from '../support/two-clusters.ts';

let world: TwoClusters;
let shards: readonly number[];
/** Of the owner's, not moved: nothing of it may reach the other one. */
let staying: number;
let load: MoveLoad;
const confirmedBefore: { readonly shard: number; readonly token: string }[] = [];
let move: MoveDriver;
const measured: string[] = [];

beforeAll(async () => {
  world = await startTwoClusters({ observers: [TO] });
  const own = [...world.view().shards.values()].filter(({ value }) => value.cluster === FROM);
  shards = own.slice(0, 3).map(({ value }) => value.shard);
  staying = own[3]?.value.shard ?? -1;
  load = startMoveLoad(world, [...shards, staying]);
  await world.untilOpen();
}, 180_000);
beforeEach(() => {
  onTestFailed(async () => {
    process.stderr.write(await world.logs());
  });
});
afterAll(async () => {
  process.stdout.write(`${measured.join('\n')}\n`);
  await load.stop();
  await world.stop();
});

const untilDecided = (more: number) => {
  const before = load.confirmed.length;
  return eventually('more is decided', () => (load.confirmed.length > before + more ? true : undefined));
};

/** Which confirmed tokens a member has no outcome for. */
async function missing(member: string): Promise<readonly string[]> {
  const wanted = [...confirmedBefore, ...load.confirmed]
    .filter(({ shard }) => shards.includes(shard))
    .map(({ token }) => token);
  const rows = await world.ask<{ token: string }>(
    member,
    `select t.token from unnest($1::text[]) as t(token)
      where not exists (select 1 from capstan.reservation_token o where o.reservation_token = t.token)`,
    [wanted],
  );
  return rows.map(({ token }) => token);
}

describe('a stream between two real clusters under load', () => {
  test('is copied and followed, and only its shards are', async () => {
    await untilDecided(20);
    move = await MoveDriver.begin(world, 'rebalance-20261130t120000-aa01', shards);
    await move.untilFollowing();
    await untilDecided(20);
    expect(await rowCount(world, 'n1', shards)).toBeGreaterThan(0);
    expect(await rowCount(world, 'n1', [staying])).toBe(0);
    const { lagPositions, lagBytes } = await move.untilOther(
      'it is near',
      (report) => Number(report.lagPositions) < 50,
    );
    expect([lagPositions, lagBytes]).not.toContain(null);
  }, 180_000);

  test('a seal drains, and arrives with exactly the positions that were sealed', async () => {
    const { id, atMs } = await move.seal();
    const arrived = await move.untilArrived(id);
    measured.push(`seal to arrived: ${Math.round(performance.now() - atMs)} ms`);
    const { sealed } = await move.untilOwner('the owner is sealed', ({ sealed: one }) => one?.seal === id);
    expect(arrived.positions).toEqual(sealed?.positions);
    expect(Object.keys(arrived.positions)).toHaveLength(shards.length);
    expect(await movedRows(world, 'n1', shards)).toEqual(await movedRows(world, 'm1', shards));
    expect(await movedRows(world, 'n3', shards)).toEqual(await movedRows(world, 'm1', shards));
    await move.flip(arrived);
  }, 180_000);

  test('the new owner decides, and its decisions come back to the old one', async () => {
    await move.untilTurned();
    await untilDecided(20);
    await move.untilFollowing();
    const { id } = await move.seal();
    const arrived = await move.untilArrived(id);
    expect(await movedRows(world, 'm1', shards)).toEqual(await movedRows(world, 'n1', shards));
    await move.flip(arrived);
    await move.untilTurned();
    await untilDecided(20);
    expect(await missing('m1')).toEqual([]);
    expect(load.odd).toEqual([]);
  }, 180_000);

  test('a failover of the old owner parts them: nothing is left of the way back, and its rows stay', async () => {
    await move.untilFollowing();
    const { id } = await move.seal();
    await move.flip(await move.untilArrived(id));
    await move.untilTurned();
    await failOverWithin(world, FROM);
    await move.until('they are parted', ({ phase }) => phase === 'parted');
    for (const member of ['m2', 'n1'])
      await eventually(`nothing is left on ${member}`, async () =>
        (await leftOvers(world, member)).length === 0 ? true : undefined,
      );
    expect(await rowCount(world, 'm2', shards)).toBeGreaterThan(0);
    await untilDecided(20);
  }, 180_000);

  test('and are copied again when that is asked for', async () => {
    await move.send('recopy', { terms: move.termsNow(FROM, TO) });
    await move.untilFollowing();
    await load.stop();
    confirmedBefore.push(...load.confirmed);
    await eventually('both have the same rows', async () => {
      const [one, other] = [await movedRows(world, 'n1', shards), await movedRows(world, 'm2', shards)];
      return JSON.stringify(one) === JSON.stringify(other) ? true : undefined;
    });
    expect(await missing('m2')).toEqual([]);
    load = startMoveLoad(world, [...shards, staying]);
    await untilDecided(5);
  }, 180_000);

  test('clean leaves nothing of it on either leader, and nothing of the rows on the one that gave them away', async () => {
    await move.send('clean');
    await move.untilClean();
    await move.send('cleaned');
    expect(await leftOvers(world, 'm2')).toEqual([]);
    expect(await leftOvers(world, 'n1')).toEqual([]);
    expect(await rowCount(world, 'm2', shards)).toBe(0);
    expect(await missing('n1')).toEqual([]);
    expect(load.odd).toEqual([]);
    await move.remove();
  }, 180_000);
});
