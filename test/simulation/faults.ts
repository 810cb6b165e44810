import type { SimProcess } from './process.ts';
import type { World } from './world.ts';

interface Fault {
  readonly name: string;
  readonly weight: number;
  /** Injects it; the answer heals it. Undefined: there was nothing to do it to. */
  readonly inject: (world: World) => (() => void) | undefined;
}

/** Everything that goes wrong in a world, by weight; what is enabled for a seed is drawn from the seed. */
const FAULTS: readonly Fault[] = [
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
    inject: (world) => world.network.slow(world.anyHost(), world.scheduler.random.between(20, 3_000)),
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
      const { scheduler } = world;
      world.coordinate({ kind: 'run', force: true, target: null });
      scheduler.after(10 ** scheduler.random.between(0.5, 2.8), '', () => {
        const id = world.activeOperation;
        if (id !== undefined) world.coordinate({ kind: 'abort', id });
      });
      return () => undefined;
    },
  },
  {
    name: 'second coordinator',
    weight: 3,
    inject: (world) => {
      const id = world.activeOperation;
      if (id === undefined) return undefined;
      world.coordinate({ kind: 'resume', id });
      return () => undefined;
    },
  },
  {
    name: 'abort',
    weight: 1.5,
    inject: (world) => {
      const id = world.activeOperation;
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

/** Draws which faults this world knows, and lets them come until `endMs`. They heal by themselves, or at the end. */
export function scheduleFaults(world: World, endMs: number): { healAll(): void } {
  const { scheduler } = world;
  const { random } = scheduler;
  const enabled = FAULTS.filter(({ name }) => name === 'failover' || random.chance(0.6));
  const total = enabled.reduce((sum, { weight }) => sum + weight, 0);
  const everyMs = random.between(250, 2_500);
  const inForce = new Set<() => void>();
  const draw = (): Fault | undefined => {
    let at = random.next() * total;
    return enabled.find(({ weight }) => (at -= weight) < 0);
  };
  const next = () => {
    if (scheduler.now > endMs) return;
    const fault = draw();
    if (fault !== undefined) begin(fault);
    // Often right after another: a second failure in the middle of what the first one brought about.
    const waitMs = random.chance(0.35) ? 10 ** random.between(0, 2.5) : random.between(0.3, 1.7) * everyMs;
    scheduler.after(waitMs, '', next);
  };
  const begin = ({ name, inject }: Fault) => {
    const heal = inject(world);
    if (heal === undefined) return;
    scheduler.note(`fault: ${name}`);
    world.counts.faults.set(name, (world.counts.faults.get(name) ?? 0) + 1);
    const healOnce = () => {
      if (!inForce.delete(healOnce)) return;
      scheduler.note(`healed: ${name}`);
      heal();
    };
    inForce.add(healOnce);
    const forMs = random.chance(0.1) ? random.between(8_000, 90_000) : 10 ** random.between(1.5, 3.9);
    scheduler.after(forMs, '', healOnce);
  };
  scheduler.after(random.between(500, 4_000), '', next);
  return {
    healAll() {
      for (const heal of inForce) heal();
    },
  };
}
