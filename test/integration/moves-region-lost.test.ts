import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import type { MoveRecord } from '../../src/domain/move-records.ts';
import { eventually } from '../support/etcd.ts';
import { LinkedRegions } from '../support/linked-regions.ts';
import {
  absentAt,
  decideAt,
  failOverToMadrid,
  headsAt,
  killHosts,
  standingAt,
} from '../support/lost-hosts.ts';
import { MoveDriver } from '../support/move-driver.ts';
import { type MoveLoad, startMoveLoad } from '../support/move-load.ts';
import { leftOvers, rowCount } from '../support/move-rows.ts';
import { FROM, startTwoClusters, TO, type TwoClusters } from '../support/two-clusters.ts';

const link = new LinkedRegions();
let world: TwoClusters;
let shards: readonly number[];
let load: MoveLoad;
let move: MoveDriver;
let before: MoveLoad['confirmed'];
let handover: MoveRecord['handover'];

beforeAll(async () => {
  world = await startTwoClusters({ observers: [FROM, TO], links: { [FROM]: link } });
  shards = [...world.view().shards.values()]
    .flatMap(({ value }) => (value.cluster === FROM ? [value.shard] : []))
    .slice(0, 3);
  load = startMoveLoad(world, shards);
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
  link.close();
});

const untilDecided = (more: number) => {
  const decided = load.confirmed.length;
  return eventually('more is decided', () => (load.confirmed.length > decided + more ? true : undefined));
};
const all = (text: string) => shards.map(() => text);

/** Under each generation that the shards ever had, and the next. */
async function answersOf(member: string): Promise<string[]> {
  const answers: string[] = [];
  for (const shard of shards)
    for (const generation of [1, 2, 3])
      answers.push(await decideAt(world, member, { shard, generation }).catch(() => 'no answer'));
  return answers;
}

describe('a region that is lost with both leaders right after the flip', () => {
  test('leaves the former owner’s observer behind the seal', async () => {
    move = await MoveDriver.begin(world, 'rebalance-20261130t160000-dd01', shards);
    await move.untilFollowing();
    link.cut();
    await untilDecided(20);
    const { id } = await move.seal(600_000);
    const arrived = await move.untilArrived(id);
    await load.stop();
    before = load.confirmed;
    ({ handover } = await move.flip(arrived));
    await killHosts(world, ['m1', 'm2', 'n1', 'n2']);
    expect(await standingAt(world, 'm3', shards)).toEqual(all('serving 1'));
    expect((await absentAt(world, 'm3', before)).length).toBeGreaterThan(0);
  }, 180_000);

  test('has nobody decide for the moved shards at the former owner, whose observer takes over first', async () => {
    const taken = failOverToMadrid(world, FROM);
    const answers = new Set<string>();
    await eventually('it has adopted the map', async () => {
      for (const answer of await answersOf('m3')) answers.add(answer);
      const standing = await standingAt(world, 'm3', shards).catch(() => []);
      return standing.join() === all('moved 1').join() ? true : undefined;
    });
    await taken;
    expect(world.leaderOf(FROM)).toBe('m3');
    for (const answer of [...answers, ...(await answersOf('m3'))]) expect(answer).not.toBe('decided');
  }, 180_000);

  test('is gone on with by the new owner’s observer, which holds the handover position and all that was confirmed', async () => {
    const { positions } = await failOverToMadrid(world, TO);
    expect(positions).toMatchObject(handover?.positions ?? {});
    expect(await headsAt(world, 'n3', shards)).toEqual(handover?.positions);
    expect(await absentAt(world, 'n3', before)).toEqual([]);
    load = startMoveLoad(world, shards);
    await untilDecided(20);
    expect(await standingAt(world, 'n3', shards)).toEqual(all('serving 2'));
    expect(load.odd).toEqual([]);
  }, 180_000);

  test('parts them: nothing is left of the way back, and the former owner serves none of its old rows', async () => {
    await move.until('they are parted', ({ phase }) => phase === 'parted');
    for (const member of ['m3', 'n3'])
      await eventually(`nothing is left on ${member}`, async () =>
        (await leftOvers(world, member)).length === 0 ? true : undefined,
      );
    expect(await rowCount(world, 'm3', shards)).toBeGreaterThan(0);
    expect(await answersOf('m3')).not.toContain('decided');
    expect(await absentAt(world, 'n3', [...before, ...load.confirmed])).toEqual([]);
  }, 180_000);
});
