import { AUTOMATIC_FAULTS } from './faults-automatic.ts';
import { type Fault, FAULTS } from './faults.ts';
import type { World } from './world.ts';

const LESS_OFTEN = 0.4;

/** Switchovers, and what comes into their way: everything else, more seldom, and what hits just them. */
export const SWITCHOVER_FAULTS: readonly Fault[] = [
  ...AUTOMATIC_FAULTS.map((fault) => ({ ...fault, weight: fault.weight * LESS_OFTEN })),
  ...FAULTS.filter(({ name }) => name.includes('failover')).map((fault) => ({
    ...fault,
    weight: fault.weight * LESS_OFTEN,
  })),
  {
    name: 'switchover',
    weight: 12,
    inject: (world) => {
      beginSwitchover(world);
      return () => undefined;
    },
  },
  {
    name: 'switchover given up',
    weight: 2,
    inject: (world) => {
      beginSwitchover(world);
      const { random } = world.scheduler;
      world.scheduler.after(10 ** random.between(1, 3.3), '', () => {
        const id = world.operations.active;
        if (id !== undefined) world.coordinate({ kind: 'abort', id });
      });
      return () => undefined;
    },
  },
  {
    name: 'switchover, and its leader sleeps',
    weight: 4,
    leastMs: 7_500,
    inject: (world) => asleep(world, 'leader'),
  },
  {
    name: 'switchover, and its target sleeps',
    weight: 3,
    leastMs: 7_500,
    inject: (world) => asleep(world, 'follower'),
  },
  {
    name: 'switchover, and Postgres dies',
    weight: 3,
    inject: (world) => {
      const member = world.anyMember();
      beginSwitchover(world);
      world.scheduler.after(world.scheduler.random.between(20, 700), '', () =>
        world.postgresOf(member)?.crash('killed'),
      );
      return () => undefined;
    },
  },
  {
    name: 'switchover given back late',
    weight: 2,
    leastMs: 9_000,
    inject: givenBackLate,
  },
];

/** The followers can't be reached as it drains; the leader gives back, and that request is under way while others go on. */
function givenBackLate(world: World): (() => void) | undefined {
  const { scheduler, network, invariants, keys, cluster } = world;
  const leader = invariants.authority?.leader;
  if (leader === null || leader === undefined) return undefined;
  const others = world.members.filter(({ member }) => member !== leader);
  const cuts: (() => void)[] = [];
  let over = false;
  beginSwitchover(world);
  scheduler.after(scheduler.random.between(1, 30), '', () => {
    if (over) return;
    for (const { member } of others) cuts.push(network.cut(leader, member), network.cut(member, leader));
  });
  world.ambush = (writes) => {
    if (!writes.some(({ key }) => key === keys.handoverReport(cluster))) return undefined;
    world.ambush = undefined;
    scheduler.after(scheduler.random.between(2_500, 5_000), '', () =>
      world.coordinate({ kind: 'run', force: true, target: null }),
    );
    return { lateMs: scheduler.random.between(3_000, 9_000) };
  };
  return () => {
    over = true;
    world.ambush = undefined;
    for (const heal of cuts) heal();
  };
}

function beginSwitchover(world: World): void {
  const { random } = world.scheduler;
  world.coordinate({
    kind: 'switchover',
    target: random.chance(0.15) ? world.anyMember() : null,
    pauseBudgetMs: random.chance(0.5) ? 1_000 : random.between(100, 6_000),
  });
}

/** An agent is stopped, with one of its next requests under way, for longer than the switchover waits. */
function asleep(world: World, who: 'leader' | 'follower'): (() => void) | undefined {
  const { scheduler, invariants } = world;
  const leader = invariants.authority?.leader;
  const named = [...world.agents].filter(([member]) => (member === leader) === (who === 'leader'));
  const process = scheduler.random.pick(named)?.[1];
  if (process?.state !== 'running') return undefined;
  beginSwitchover(world);
  const act = () => {
    process.pause();
    scheduler.after(scheduler.random.between(200, 7_000), '', () => process.resume());
  };
  process.interrupt = { afterRequests: 1 + scheduler.random.below(9), act };
  return () => {
    process.interrupt = undefined;
    process.resume();
  };
}
