import type { World } from './world.ts';

const LOOKS_EVERY_MS = 2_000;
/** Nobody has decided for this long: a person begins a failover. */
const PATIENCE_MS = 9_000;
const ANY_LOSS = 1_000_000;

/** What a person does at one look. Once everything is healed, it is whatever the design leaves to a person. */
export type Person = (world: World, healed: boolean) => void;

/** Looks now and then. */
export function watchAsPerson(world: World, healed: () => boolean): void {
  const { scheduler } = world;
  const { personEveryMs = LOOKS_EVERY_MS } = world.area;
  const look = () => {
    world.area.person(world, healed());
    scheduler.after(personEveryMs * scheduler.random.between(0.5, 1.5), '', look);
  };
  scheduler.after(personEveryMs, '', look);
}

/** Resumes what is left, does what the last error says, begins a failover when nothing is decided, rebuilds what is shut for good. */
export const operator: Person = (world, healed) => {
  const { random } = world.scheduler;
  const eager = healed || random.chance(0.4);
  if (eager && isFree(world, healed)) {
    const active = world.operations.active;
    if (active !== undefined) carryOn(world, active);
    else if (nothingIsDecided(world)) world.coordinate({ kind: 'run', force: true, target: null });
    else if (healed) resumeWhatHoldsNothing(world);
  }
  rebuildWhatIsShut(world, healed);
};

/** Whether nothing that a person has begun is still under way. */
export const isFree = (world: World, healed: boolean): boolean =>
  world.liveCoordinators.every(({ process }) => process.state === 'paused' && !healed);

export const nothingIsDecided = ({ scheduler, toldAt }: World, forMs = PATIENCE_MS): boolean =>
  scheduler.now - Math.max(0, ...toldAt.values()) > forMs;

/** A person does what the last error says. */
export function carryOn(world: World, id: string): void {
  const advice = world.coordinators.findLast(({ ended }) => ended !== undefined)?.advice ?? '';
  const [, accept] = /--accept-loss (\d+|N)/.exec(advice) ?? [];
  if (accept !== undefined && world.scheduler.random.chance(0.6))
    world.coordinate({ kind: 'resume', id, acceptLoss: Number(accept) || ANY_LOSS });
  else if (!advice.includes(`operation abort ${id}`)) world.coordinate({ kind: 'resume', id });
  // Where both are advised, it is first hoped that who is missing comes back.
  else if (advice.includes(`operation resume ${id}`) && world.scheduler.random.chance(0.7))
    world.coordinate({ kind: 'resume', id });
  else world.coordinate({ kind: 'abort', id });
}

/** One that has let its cluster go and has only its end to record is nobody's to adopt. */
export function resumeWhatHoldsNothing(world: World): void {
  const [left] = world.operations.running;
  if (left !== undefined) world.coordinate({ kind: 'resume', id: left.id });
}

export function rebuildWhatIsShut(world: World, healed: boolean): void {
  const { authority } = world.invariants;
  for (const { member } of world.membersOf(world.cluster)) {
    const shut = world.memoryOf(member).value.quarantine !== null;
    const leads = authority?.leader === member;
    if (shut && !leads && authority?.phase === 'open' && (healed || world.scheduler.random.chance(0.2)))
      world.rebuild(member);
  }
}
