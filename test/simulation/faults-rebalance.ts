import type { MoveRecord } from '../../src/domain/move-records.ts';
import type { Write } from '../../src/etcd/port.ts';
import { type Fault, FAULTS } from './faults.ts';
import { rebalanceIn } from './rebalance-person.ts';
import type { World } from './world.ts';

const LESS_OFTEN = 0.2;

const pickCluster = (world: World): World =>
  world.focus(world.scheduler.random.pick(world.clusters) ?? world.cluster);

/** Everything that may befall either cluster, and what may befall a move at its seal and its flip. */
export const REBALANCE_FAULTS: readonly Fault[] = [
  ...FAULTS.map(({ name, weight, inject, ...fault }) => ({
    ...fault,
    name,
    weight: weight * (name.startsWith('coordinator') ? 0.4 : LESS_OFTEN),
    inject: (world: World) => inject(pickCluster(world)),
  })),
  {
    name: 'leader gone',
    weight: 2,
    leastMs: 2_000,
    inject: (world) => {
      const heal = pickCluster(world).loseLeader();
      failOverSoon(world);
      return heal;
    },
  },
  {
    name: 'source lost with its seal',
    weight: 2,
    leastMs: 4_000,
    inject: (world) =>
      ambush(world, 'seal', () => {
        // The seal may be on no other disk yet.
        const lost = world.loseMember(world.focus('c1').invariants.authority?.leader, 6_000);
        handOver(world);
        return lost === undefined ? undefined : { lateMs: 0 };
      }),
  },
  {
    name: 'leader lost at the flip',
    weight: 4,
    leastMs: 4_000,
    inject: (world) =>
      ambush(world, 'turn', () => {
        const { random } = world.scheduler;
        world.scheduler.after(random.between(0, 30), '', () => {
          pickCluster(world).loseLeader(random.between(3_000, 8_000));
          failOverSoon(world);
        });
        return { lateMs: random.chance(0.5) ? 0 : random.between(1, 40) };
      }),
  },
  {
    name: 'flip held up',
    weight: 4,
    leastMs: 6_000,
    inject: (world) =>
      ambush(world, 'turn', () => {
        const { random } = world.scheduler;
        return { lateMs: random.chance(0.5) ? random.between(5, 1_500) : random.between(2_000, 6_000) };
      }),
  },
  {
    name: 'flip not answered',
    weight: 3,
    leastMs: 4_000,
    inject: (world) => ambush(world, 'turn', () => 'reply-lost'),
  },
  {
    name: 'failover at the flip',
    weight: 3,
    leastMs: 4_000,
    inject: (world) =>
      ambush(world, 'turn', () => {
        pickCluster(world).coordinate({ kind: 'run', force: true, target: null });
        return { lateMs: world.scheduler.random.between(5, 400) };
      }),
  },
  {
    name: 'coordinator lost at the seal',
    weight: 3,
    leastMs: 6_000,
    inject: (world) =>
      ambush(world, 'seal', () => {
        const process = world.anyCoordinator()?.process;
        const { random, now } = world.scheduler;
        world.scheduler.after(random.between(0, 60), '', () => {
          if (random.chance(0.5)) process?.kill();
          else process?.pause();
        });
        const forMs = random.chance(0.3) ? random.between(9_000, 20_000) : random.between(2_000, 9_000);
        world.awayUntil = now + forMs;
        world.scheduler.after(forMs, '', () => process?.resume());
        return undefined;
      }),
  },
  {
    name: 'back-out held up',
    weight: 3,
    leastMs: 6_000,
    inject: (world) =>
      ambush(world, 'follow', () => ({ lateMs: world.scheduler.random.between(5, 2_500) }), true),
  },
  {
    name: 'applies slowly',
    weight: 3,
    leastMs: 2_000,
    inject: (world) => {
      const slow = world.membersOf(pickCluster(world).cluster);
      for (const postgres of slow) postgres.slowApplyMs = world.scheduler.random.between(100, 3_000);
      return () => {
        for (const postgres of slow) postgres.slowApplyMs = 0;
      };
    },
  },
  {
    name: 'slot invalidated',
    weight: 2,
    inject: (world) => {
      const slots = world.members.flatMap(({ disk }) => [...disk.slots.values()]);
      const slot = world.scheduler.random.pick(slots);
      if (slot === undefined) return undefined;
      slot.lost = true;
      for (const { server } of world.members) server?.senders.dismiss(slot.name);
      return () => undefined;
    },
  },
  {
    name: 'clusters apart',
    weight: 3,
    inject: (world) => {
      const { random } = world.scheduler;
      const [here, there] = world.clusters.map((cluster) => world.membersOf(cluster));
      const ways = (here ?? []).flatMap((a) =>
        (there ?? []).flatMap((b) => [
          world.network.cut(a.host.name, b.host.name),
          ...(random.chance(0.7) ? [world.network.cut(b.host.name, a.host.name)] : []),
        ]),
      );
      return () => {
        for (const heal of ways) heal();
      };
    },
  },
  {
    name: 'other goal',
    weight: 3,
    inject: (world) => {
      const operation = rebalanceIn(world);
      if (operation === undefined) return undefined;
      const { random } = world.scheduler;
      const goal = random.pick(['cutover', 'cutover', 'reverse', 'complete', 'cancel', 'verify'] as const);
      world.coordinate({ kind: 'goal', id: operation.id, goal: goal ?? 'cutover' });
      return () => undefined;
    },
  },
  {
    name: 'rebalance taken over',
    weight: 3,
    inject: (world) => {
      const operation = rebalanceIn(world);
      if (operation === undefined) return undefined;
      world.coordinate({ kind: 'resume', id: operation.id });
      return () => undefined;
    },
  },
  {
    name: 'streams held',
    weight: 2,
    inject: (world) => {
      const operation = rebalanceIn(world);
      if (operation === undefined) return undefined;
      const hold = (paused: boolean) => world.coordinate({ kind: 'hold', id: operation.id, paused });
      hold(true);
      return () => hold(false);
    },
  },
  {
    name: 'source hands over to its other region',
    weight: 1.5,
    leastMs: 4_000,
    inject: (world) => {
      const here = pickCluster(world)
        .membersOf(world.cluster)
        .filter(({ member }) => world.regionOf(member) === 'here');
      const gone = here.map(({ member }) => world.loseMember(member));
      handOver(world);
      return () => {
        for (const heal of gone) heal?.();
      };
    },
  },
];

/** Lies in wait for a write that takes a stream into that phase together with the map, and strikes once. */
function ambush(
  world: World,
  phase: MoveRecord['phase'],
  strike: () => ReturnType<NonNullable<World['ambush']>>,
  again = false,
): () => void {
  const lies = (writes: readonly Write[]) => {
    const enters = writes.some(
      (write) =>
        write.kind === 'put' &&
        write.key.startsWith(world.keys.moves) &&
        (JSON.parse(write.value) as MoveRecord).phase === phase,
    );
    if (!enters || !writes.some(({ key }) => key === world.keys.map)) return undefined;
    if (!again) world.ambushes.delete(lies);
    return strike();
  };
  world.ambushes.add(lies);
  return () => world.ambushes.delete(lies);
}

function failOverSoon(world: World): void {
  const { cluster, scheduler } = world;
  if (scheduler.random.chance(0.6))
    scheduler.after(scheduler.random.between(1, 1_500), '', () =>
      world.focus(cluster).coordinate({ kind: 'run', force: true, target: null }),
    );
}

/** Where there is another region. */
function handOver(world: World): void {
  const { cluster, scheduler } = world;
  const remote = world.membersOf(cluster).some(({ member }) => world.regionOf(member) === 'there');
  if (!remote) return;
  const leads = world.regionOf(world.invariants.authority?.leader);
  const region = leads === 'there' ? 'here' : 'there';
  scheduler.after(scheduler.random.between(1, 1_000), '', () =>
    world.focus(cluster).coordinate({ kind: 'regional', region, acceptLoss: 1_000 }),
  );
}
