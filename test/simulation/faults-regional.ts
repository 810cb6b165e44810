import { AUTOMATIC_FAULTS } from './faults-automatic.ts';
import type { Fault } from './faults.ts';
import type { World } from './world.ts';

const LESS_OFTEN = 0.4;

/** Regions that are gone, cut off or far behind, and people who hand over to another one. */
export const REGIONAL_FAULTS: readonly Fault[] = [
  ...AUTOMATIC_FAULTS.map((fault) => ({ ...fault, weight: fault.weight * LESS_OFTEN })),
  {
    name: 'region gone',
    weight: 6,
    leastMs: 4_000,
    inject: (world) => {
      const gone = membersAround(world).map((member) => world.loseMember(member));
      // What is attested is so: nothing of that Postgres runs.
      const attested = world.scheduler.random.chance(0.3);
      world.scheduler.after(world.scheduler.random.between(1, attested ? 300 : 3_000), '', () =>
        handOver(world, attested ? 'its hosts are switched off' : undefined),
      );
      return () => {
        for (const heal of gone) heal?.();
      };
    },
  },
  {
    name: 'region cut off',
    weight: 6,
    leastMs: 4_000,
    inject: (world) => {
      const here = membersAround(world);
      const there = world.members.map(({ member }) => member).filter((member) => !here.includes(member));
      const oneWay = world.scheduler.random.chance(0.25);
      const ways = here.flatMap((a) =>
        [...there, 'etcd'].flatMap((b) => [
          world.network.cut(a, b),
          ...(oneWay ? [] : [world.network.cut(b, a)]),
        ]),
      );
      world.scheduler.after(world.scheduler.random.between(1, 4_000), '', () => handOver(world));
      return () => {
        for (const heal of ways) heal();
      };
    },
  },
  {
    name: 'regional failover',
    weight: 4,
    inject: (world) => {
      handOver(world);
      return () => undefined;
    },
  },
  {
    name: 'regional failover given up',
    weight: 2,
    inject: (world) => {
      handOver(world);
      world.scheduler.after(10 ** world.scheduler.random.between(1.3, 3.6), '', () => {
        const id = world.operations.active;
        if (id !== undefined) world.coordinate({ kind: 'abort', id });
      });
      return () => undefined;
    },
  },
  {
    name: 'remote behind',
    weight: 4,
    inject: (world) => {
      const here = membersAround(world);
      const far = world.members.filter(({ member }) => !here.includes(member));
      const behind = world.scheduler.random.pick(far)?.member;
      return behind === undefined
        ? undefined
        : world.network.slow(behind, world.scheduler.random.between(200, 4_000));
    },
  },
];

/** Those of the leader's region. */
function membersAround(world: World): readonly string[] {
  const region = world.regionOf(world.invariants.authority?.leader) ?? 'here';
  return world.places.filter((place) => place.region === region).map(({ member }) => member);
}

/** To the region that doesn't lead. */
function handOver(world: World, attestIsolated?: string): void {
  const { random } = world.scheduler;
  const region = world.regionOf(world.invariants.authority?.leader) === 'there' ? 'here' : 'there';
  const acceptLoss = random.chance(0.5) ? random.pick([0, 5, 50, 1_000]) : undefined;
  world.coordinate({ kind: 'regional', region, acceptLoss, attestIsolated });
}
