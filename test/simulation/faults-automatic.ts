import { type Fault, FAULTS } from './faults.ts';
import type { SimProcess } from './process.ts';
import type { World } from './world.ts';

/** The agent that drives the active operation, or the one beside a follower that may be about to begin one. */
function drivingAgent(world: World): SimProcess | undefined {
  const driver = world.operations.held?.value.coordinator.id.split('/')[0];
  const agents = [...world.agents.values()].filter(({ alive }) => alive);
  const followers = agents.filter(({ host }) => host.name !== world.invariants.authority?.leader);
  return agents.find(({ name }) => name === driver) ?? world.scheduler.random.pick(followers);
}

/** Nobody but agents begins a failover here; people pause, unpause and acknowledge. */
export const AUTOMATIC_FAULTS: readonly Fault[] = [
  ...FAULTS.filter(({ name }) => !name.includes('failover')),
  {
    name: 'leader gone',
    weight: 6,
    inject: (world) => world.loseLeader(),
  },
  {
    name: 'leader cut from etcd',
    weight: 4,
    leastMs: 4_500,
    inject: (world) => {
      const { leader } = world.invariants.authority ?? {};
      if (leader === null || leader === undefined) return undefined;
      const { network, scheduler } = world;
      const ways = [network.cut(leader, 'etcd')];
      if (scheduler.random.chance(0.6)) ways.push(network.cut('etcd', leader));
      return () => {
        for (const heal of ways) heal();
      };
    },
  },
  {
    name: 'leader stopped',
    weight: 3,
    leastMs: 4_500,
    inject: (world) => {
      const process = world.agents.get(world.invariants.authority?.leader ?? '');
      process?.pause();
      return process === undefined ? undefined : () => process.resume();
    },
  },
  {
    name: 'driving agent interrupted',
    weight: 7,
    inject: (world) => atNextRequests(world, (process) => process.pause()),
  },
  {
    name: 'driving agent killed at a request',
    weight: 7,
    inject: (world) => atNextRequests(world, (process) => process.kill()),
  },
  {
    name: 'cluster paused',
    weight: 2.5,
    inject: (world) => {
      world.coordinate({ kind: 'pause' });
      return () => world.coordinate({ kind: 'unpause' });
    },
  },
  {
    name: 'cluster paused at the fence',
    weight: 2,
    leastMs: 9_000,
    inject: (world) => {
      const healed = world.loseLeader();
      atTheFence(world, () => world.coordinate({ kind: 'pause' }));
      return () => {
        healed?.();
        world.ambush = undefined;
        world.coordinate({ kind: 'unpause' });
      };
    },
  },
  {
    name: 'lease renewed at the fence',
    weight: 2,
    leastMs: 9_000,
    inject: (world) => {
      const { leader } = world.invariants.authority ?? {};
      if (leader === null || leader === undefined) return undefined;
      const healed = world.network.cut(leader, 'etcd');
      atTheFence(world, healed);
      return () => {
        healed();
        world.ambush = undefined;
      };
    },
  },
  {
    name: 'block acknowledged',
    weight: 1,
    inject: (world) => {
      world.coordinate({ kind: 'acknowledge' });
      return () => undefined;
    },
  },
];

function atNextRequests(world: World, act: (process: SimProcess) => void): (() => void) | undefined {
  const process = drivingAgent(world);
  if (process === undefined) return undefined;
  const member = process.host.name;
  process.interrupt = { afterRequests: 1 + world.scheduler.random.below(14), act: () => act(process) };
  return () => {
    process.interrupt = undefined;
    process.resume();
    world.startAgent(member);
  };
}

/** As an automatic fence leaves: it is under way for a while, and something happens first. */
function atTheFence(world: World, act: () => void): void {
  world.ambush = (writes) => {
    if (!writes.some(({ key }) => key === world.keys.automaticTally(world.cluster))) return undefined;
    world.ambush = undefined;
    world.scheduler.after(0, '', act);
    return { lateMs: world.scheduler.random.between(5, 1_500) };
  };
}
