import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import type { DecidedPrefix } from '../../src/domain/records.ts';
import { eventually } from '../support/etcd.ts';
import { LinkedRegions } from '../support/linked-regions.ts';
import { absentAt, decideAt, failOverToMadrid, killHosts, standingAt } from '../support/lost-hosts.ts';
import { MoveDriver } from '../support/move-driver.ts';
import { type MoveLoad, startMoveLoad } from '../support/move-load.ts';
import { movedRows } from '../support/move-rows.ts';
import { failOverWithin, FROM, startTwoClusters, TO, type TwoClusters } from '../support/two-clusters.ts';

const link = new LinkedRegions();
let world: TwoClusters;
let shards: readonly number[];
let load: MoveLoad;
let move: MoveDriver;
let prefix: DecidedPrefix;

beforeAll(async () => {
  world = await startTwoClusters({ observers: [FROM], links: { [FROM]: link } });
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
  const before = load.confirmed.length;
  return eventually('more is decided', () => (load.confirmed.length > before + more ? true : undefined));
};

const entries = () =>
  shards.map((shard) => {
    const { cluster, generation, state } = world.view().shards.get(shard)?.value ?? {};
    return `${cluster} ${generation} ${state}`;
  });
const all = (text: string) => shards.map(() => text);

const isKept = ({ shard, position }: MoveLoad['confirmed'][number]) =>
  BigInt(position) <= BigInt(prefix.positions[String(shard)] ?? 0);

describe('a source whose region is lost while its shards are sealed', () => {
  test('has its seal rolled back by the observer that takes over, and the map unseals them', async () => {
    move = await MoveDriver.begin(world, 'rebalance-20261130t150000-cc01', shards);
    await move.untilFollowing();
    link.cut();
    await untilDecided(20);
    const { id } = await move.seal(600_000);
    await move.untilArrived(id);
    expect(await standingAt(world, 'm1', shards)).toEqual(all('sealed 1'));
    expect(await standingAt(world, 'm3', shards)).toEqual(all('serving 1'));
    await load.stop();
    await killHosts(world, ['m1', 'm2']);
    const { attempt } = move.record();
    prefix = await failOverToMadrid(world, FROM);
    await move.until('it is set back', (record) => record.phase === 'copy' && record.attempt > attempt);
    expect(entries()).toEqual(all(`${FROM} 1 serving`));
    expect(move.record().error?.code).toBe('leg_lost');
  }, 180_000);

  test('keeps all that the promoted observer held, and nobody but it decides', async () => {
    expect(load.confirmed.some((one) => !isKept(one))).toBe(true);
    expect(await absentAt(world, 'm3', load.confirmed.filter(isKept))).toEqual([]);
    expect(load.odd).toEqual([]);
    for (const shard of shards)
      for (const generation of [1, 2])
        expect(await decideAt(world, 'n1', { shard, generation })).not.toBe('decided');
    const kept = load.confirmed.filter(isKept);
    load = startMoveLoad(world, shards);
    await untilDecided(20);
    expect(await standingAt(world, 'm3', shards)).toEqual(all('serving 1'));
    expect(await absentAt(world, 'm3', kept)).toEqual([]);
  }, 180_000);

  test('is copied anew: not even a row of what was rolled back stays on the receiver', async () => {
    await move.untilFollowing();
    await load.stop();
    const rows = await movedRows(world, 'm3', shards);
    const same = await eventually('both have the same rows', async () => {
      const copied = await movedRows(world, 'n1', shards);
      return JSON.stringify(copied) === JSON.stringify(rows) ? copied : undefined;
    });
    expect(same).toEqual(rows);
    load = startMoveLoad(world, shards);
    await untilDecided(5);
  }, 180_000);
});

describe('a receiver whose leader is killed right after the flip', () => {
  test('loses nothing that was confirmed before it: its follower opens with all of it, and both are parted', async () => {
    const { id } = await move.seal();
    const arrived = await move.untilArrived(id);
    const before = [...load.confirmed];
    await move.flip(arrived);
    await killHosts(world, ['n1']);
    const killedAtMs = performance.now();
    await failOverWithin(world, TO);
    expect(world.leaderOf(TO)).toBe('n2');
    await move.until('they are parted', ({ phase }) => phase === 'parted');
    await untilDecided(20);
    process.stdout.write(`killed to decided: ${Math.round(performance.now() - killedAtMs)} ms\n`);
    expect(entries()).toEqual(all(`${TO} 2 serving`));
    expect(await absentAt(world, 'n2', before)).toEqual([]);
    expect(await absentAt(world, 'n2', load.confirmed)).toEqual([]);
    expect(load.odd).toEqual([]);
  }, 180_000);
});
