import type { Fault } from './faults.ts';
import type { World } from './world.ts';

/** Draws which faults this world knows, and lets them come until `endMs`. They heal by themselves, or at the end. */
export function scheduleFaults(world: World, endMs: number, only?: readonly string[]): { healAll(): void } {
  const { scheduler } = world;
  const { random } = scheduler;
  const { faults, always } = world.area;
  const enabled =
    only === undefined
      ? faults.filter(({ name }) => always.includes(name) || random.chance(0.6))
      : faults.filter(({ name }) => only.includes(name));
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
  const begin = ({ name, leastMs = 0, inject }: Fault) => {
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
    scheduler.after(Math.max(leastMs, forMs), '', healOnce);
  };
  scheduler.after(random.between(500, 4_000), '', next);
  return {
    healAll() {
      for (const heal of inForce) heal();
    },
  };
}
