import type { Violation } from './violation.ts';
import { watchAsPerson } from './person.ts';
import { World } from './world.ts';
import type { Counts, WorldOptions } from './world-options.ts';

/** Once all faults are healed, a cluster decides again within this much simulated time. */
const AGAIN_WITHIN_MS = 90_000;
/** With one fault at one step: the cluster is up by then, and what became of it can be seen after that. */
const BEGINS_AT_MS = 5_000;
const STEP_MS = 15_000;

export interface SeedResult {
  readonly seed: number;
  readonly violation: Violation | undefined;
  readonly trace: readonly string[];
  /** Of the whole trace: the same seed has the same. */
  readonly digest: string;
  readonly events: number;
  readonly simulatedMs: number;
  readonly counts: Counts;
  /** Whether the one fault found its step. */
  readonly struck: boolean;
}

/** Runs one seed: trouble, then healing, then a person who resumes, fails over and rebuilds until every shard decides again. */
export async function runSeed(options: WorldOptions): Promise<SeedResult> {
  const { stackTraceLimit } = Error;
  // Errors are part of a simulated day, and their stacks are most of what they cost.
  Error.stackTraceLimit = 0;
  try {
    return await runWorld(options);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

async function runWorld(options: WorldOptions): Promise<SeedResult> {
  const world = new World(options);
  const { scheduler, eyes } = world;
  const { random } = scheduler;
  const troubleMs =
    options.at === undefined
      ? random.between(world.area.troubleLeastMs ?? 3_000, world.area.troubleMostMs)
      : BEGINS_AT_MS + (world.area.stepMs ?? STEP_MS);
  const faults = options.at === undefined ? world.disturb(troubleMs) : undefined;
  const broken = () => eyes.verdict.violation !== undefined;
  watchAsPerson(world, () => scheduler.now > troubleMs);
  if (options.at !== undefined) {
    await scheduler.run(BEGINS_AT_MS, broken);
    world.strike?.arm();
    world.area.begin(world);
  }
  await scheduler.run(troubleMs, broken);
  scheduler.note('everything heals');
  faults?.healAll();
  world.strike?.heal();
  world.calm();
  for (const { member } of world.members) world.startAgent(member);
  const decidesAgain = () =>
    world.owners.every((_, shard) => (world.toldAt.get(shard) ?? 0) > troubleMs + 500);
  const leftovers = () => eyes.moves?.leftovers ?? [];
  const left = () => world.operations.running;
  await scheduler.run(
    troubleMs + AGAIN_WITHIN_MS,
    () => broken() || (decidesAgain() && left().length === 0 && leftovers().length === 0),
  );
  if (!broken() && !decidesAgain())
    eyes.report(
      'decides-again',
      `no decision on every shard within ${AGAIN_WITHIN_MS} ms of the last healing`,
    );
  if (!broken() && left().length > 0)
    eyes.report(
      'operations-end',
      `still running: ${left()
        .map(({ id, phase }) => `${id} (${phase})`)
        .join(', ')}`,
    );
  if (!broken() && leftovers().length > 0) eyes.report('nothing-is-left', leftovers().join(', '));
  eyes.atEnd();
  for (const { ended } of world.coordinators) {
    if (ended?.startsWith('bug') === true || ended === 'authority_mismatch')
      eyes.report('coordinator-has-no-bug', ended);
  }
  world.operations.countIn(world.counts);
  const { violation } = eyes.verdict;
  if (violation !== undefined) scheduler.note(`VIOLATION ${violation.invariant}: ${violation.message}`);
  const { trace } = scheduler;
  scheduler.end();
  return {
    seed: options.seed,
    violation,
    trace,
    digest: scheduler.digest,
    events: scheduler.events,
    simulatedMs: scheduler.now,
    counts: world.counts,
    struck: world.strike?.struck ?? false,
  };
}
