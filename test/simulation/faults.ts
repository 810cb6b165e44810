import type { SimProcess } from './process.ts';
import type { World } from './world.ts';

export interface Fault {
  readonly name: string;
  readonly weight: number;
  /** Heals no sooner by itself. */
  readonly leastMs?: number;
  /** Injects it; the answer heals it. Undefined: there was nothing to do it to. */
  readonly inject: (world: World) => (() => void) | undefined;
}

/** Everything that goes wrong in a world, by weight; what is enabled for a seed is drawn from the seed. */
export const FAULTS: readonly Fault[] = [
  {
    name: 'agent crash',
    weight: 4,
    inject: (world) => {
      const member = world.anyMember();
      world.killAgent(member);
      return () => world.startAgent(member);
    },
  },
  {
    name: 'agent pause',
    weight: 4,
    inject: (world) => {
      const process = world.agents.get(world.anyMember());
      process?.pause();
      return process === undefined ? undefined : () => process.resume();
    },
  },
  {
    name: 'postgres crash',
    weight: 4,
    inject: (world) => {
      world.postgresOf(world.anyMember())?.crash('killed');
      return () => undefined;
    },
  },
  {
    name: 'postgres pause',
    weight: 4,
    inject: (world) => {
      const process = world.postgresOf(world.anyMember())?.server?.process;
      process?.pause();
      return process === undefined ? undefined : () => process.resume();
    },
  },
  {
    name: 'wait cancelled',
    weight: 1,
    inject: (world) => {
      for (const { server } of world.members) server?.process.deliver('cancel', () => server.cancelWaits());
      return () => undefined;
    },
  },
  {
    name: 'host gone',
    weight: 3,
    inject: (world) => {
      const member = world.anyMember();
      world.killAgent(member);
      world.postgresOf(member)?.crash('its host is gone');
      return () => world.startAgent(member);
    },
  },
  { name: 'cut off', weight: 3, inject: (world) => both(world, world.anyHost(), '*') },
  { name: 'cut from etcd', weight: 4, inject: (world) => both(world, world.anyHost(), 'etcd') },
  {
    name: 'one way to etcd',
    weight: 3,
    inject: (world) => world.network.cut(world.anyHost(), 'etcd'),
  },
  {
    name: 'one way from etcd',
    weight: 3,
    inject: (world) => world.network.cut('etcd', world.anyHost()),
  },
  {
    name: 'members apart',
    weight: 4,
    inject: (world) => both(world, world.anyMember(), world.anyMember()),
  },
  {
    name: 'one way between members',
    weight: 2,
    inject: (world) => world.network.cut(world.anyMember(), world.anyMember()),
  },
  {
    name: 'etcd without a quorum',
    weight: 2,
    inject: (world) => {
      world.etcd.available = false;
      return () => {
        world.etcd.available = true;
      };
    },
  },
  {
    name: 'lossy etcd',
    weight: 5,
    inject: (world) => {
      const { random } = world.scheduler;
      Object.assign(world.trouble, {
        lostRequest: random.between(0, 0.15),
        lostReply: random.between(0, 0.25),
        late: random.between(0, 0.3),
        lateMostMs: random.between(100, 6_000),
        twice: random.between(0, 0.3),
      });
      return () => world.calm();
    },
  },
  {
    name: 'delays',
    weight: 3,
    inject: (world) => world.network.slow(world.anyHost(), world.scheduler.random.between(20, 6_000)),
  },
  {
    name: 'slow callers',
    weight: 1.5,
    inject: (world) => world.network.slow('desk', world.scheduler.random.between(2_000, 9_000)),
  },
  {
    name: 'clock stepped',
    weight: 2,
    inject: (world) => {
      const { random } = world.scheduler;
      const host = world.hosts.get(world.anyMember());
      if (host === undefined) return undefined;
      const byMs =
        (random.chance(0.5) ? 1 : -1) *
        (random.chance(0.7) ? random.between(1, 500) : random.between(500, 60_000));
      host.wallOffsetMs += byMs;
      world.scheduler.note(`${host.name} steps its clock by ${byMs.toFixed(0)} ms`);
      return () => {
        host.wallOffsetMs -= byMs;
      };
    },
  },
  {
    name: 'coordinator killed',
    weight: 4,
    inject: (world) => {
      const coordinator = world.anyCoordinator();
      coordinator?.process.kill();
      return coordinator === undefined ? undefined : () => undefined;
    },
  },
  {
    name: 'coordinator pause',
    weight: 4,
    inject: (world) => {
      const process = world.anyCoordinator()?.process;
      process?.pause();
      return process === undefined ? undefined : () => process.resume();
    },
  },
  {
    name: 'agent interrupted',
    weight: 5,
    inject: (world) => interrupted(world, world.agents.get(world.anyMember())),
  },
  {
    name: 'coordinator interrupted',
    weight: 6,
    inject: (world) => interrupted(world, world.anyCoordinator()?.process),
  },
  {
    name: 'coordinator killed at a request',
    weight: 4,
    inject: (world) => {
      const process = world.anyCoordinator()?.process;
      if (process === undefined) return undefined;
      const afterRequests = 1 + world.scheduler.random.below(12);
      process.interrupt = { afterRequests, act: () => process.kill() };
      return () => undefined;
    },
  },
  {
    name: 'failover given up',
    weight: 3,
    inject: (world) => {
      failOver(world, true);
      return () => undefined;
    },
  },
  {
    name: 'failover behind a sleeping leader',
    weight: 2,
    leastMs: 7_500,
    inject: (world) => sleepingLeader(world, false),
  },
  {
    name: 'failover given up behind a sleeping leader',
    weight: 2,
    leastMs: 7_500,
    inject: (world) => sleepingLeader(world, true),
  },
  {
    name: 'second coordinator',
    weight: 3,
    inject: (world) => {
      const id = world.operations.active;
      if (id === undefined) return undefined;
      world.coordinate({ kind: 'resume', id });
      return () => undefined;
    },
  },
  {
    name: 'abort',
    weight: 1.5,
    inject: (world) => {
      const id = world.operations.active;
      if (id === undefined) return undefined;
      world.coordinate({ kind: 'abort', id });
      return () => undefined;
    },
  },
  {
    name: 'failover',
    weight: 5,
    inject: (world) => {
      const { random } = world.scheduler;
      world.coordinate({
        kind: 'run',
        force: random.chance(0.8),
        target: random.chance(0.15) ? world.anyMember() : null,
      });
      return () => undefined;
    },
  },
];

function failOver(world: World, giveUp: boolean): void {
  const { scheduler } = world;
  world.coordinate({ kind: 'run', force: true, target: null });
  if (!giveUp) return;
  scheduler.after(10 ** scheduler.random.between(0.5, 2.8), '', () => {
    const id = world.operations.active;
    if (id !== undefined) world.coordinate({ kind: 'abort', id });
  });
}

/** The leader's agent is stopped with a request under way, and finds another authority, or its own again, when it wakes. */
function sleepingLeader(world: World, giveUp: boolean): (() => void) | undefined {
  const { scheduler, invariants } = world;
  const process = world.agents.get(invariants.authority?.leader ?? '');
  if (process?.state !== 'running') return undefined;
  const act = () => {
    process.pause();
    scheduler.after(scheduler.random.between(1, 300), '', () => failOver(world, giveUp));
    scheduler.after(scheduler.random.between(3_000, 7_000), '', () => process.resume());
  };
  process.interrupt = { afterRequests: 1 + scheduler.random.below(6), act };
  return () => {
    process.interrupt = undefined;
    process.resume();
  };
}

/** Stopped right after one of its next requests has left, so that what it was about to learn finds it asleep. */
function interrupted(world: World, process: SimProcess | undefined): (() => void) | undefined {
  if (process === undefined) return undefined;
  const afterRequests = 1 + world.scheduler.random.below(6);
  process.interrupt = { afterRequests, act: () => process.pause() };
  return () => {
    process.interrupt = undefined;
    process.resume();
  };
}

function both(world: World, a: string, b: string): (() => void) | undefined {
  if (a === b) return undefined;
  const there = world.network.cut(a, b);
  const back = world.network.cut(b, a);
  return () => {
    there();
    back();
  };
}
