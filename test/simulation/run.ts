import type { Violation } from './invariants.ts';
import { type Counts, SHARDS, World, type WorldOptions } from './world.ts';

/** Once all faults are healed, a cluster decides again within this much simulated time. */
const AGAIN_WITHIN_MS = 90_000;
const OPERATOR_LOOKS_EVERY_MS = 2_000;
/** Nobody has decided for this long: a person begins a failover. */
const PATIENCE_MS = 9_000;

export interface SeedResult {
  readonly seed: number;
  readonly violation: Violation | undefined;
  readonly trace: readonly string[];
  /** Of the whole trace: the same seed has the same. */
  readonly digest: string;
  readonly events: number;
  readonly simulatedMs: number;
  readonly counts: Counts;
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
  const { scheduler, invariants } = world;
  const { random } = scheduler;
  const troubleMs = random.between(3_000, 11_000);
  const faults = world.disturb(troubleMs);
  const broken = () => invariants.violation !== undefined;
  watchOperator(world, () => scheduler.now > troubleMs);
  await scheduler.run(troubleMs, broken);
  scheduler.note('everything heals');
  faults.healAll();
  world.calm();
  for (const { member } of world.members) world.startAgent(member);
  const decidesAgain = () =>
    Array.from({ length: SHARDS }, (_, shard) => (world.toldAt.get(shard) ?? 0) > troubleMs + 500).every(
      Boolean,
    );
  await scheduler.run(troubleMs + AGAIN_WITHIN_MS, () => broken() || decidesAgain());
  if (!broken() && !decidesAgain())
    invariants.report(
      'decides-again',
      `no decision on every shard within ${AGAIN_WITHIN_MS} ms of the last healing`,
    );
  invariants.checkPrefix();
  invariants.checkAllTold();
  for (const { ended } of world.coordinators) {
    if (ended?.startsWith('bug') === true || ended === 'authority_mismatch')
      invariants.report('coordinator-has-no-bug', ended);
    if (ended === 'done') world.counts.failovers += 1;
    if (ended === 'aborted') world.counts.aborts += 1;
  }
  if (invariants.violation !== undefined)
    scheduler.note(`VIOLATION ${invariants.violation.invariant}: ${invariants.violation.message}`);
  const { trace } = scheduler;
  scheduler.end();
  return {
    seed: options.seed,
    violation: invariants.violation,
    trace,
    digest: scheduler.digest,
    events: scheduler.events,
    simulatedMs: scheduler.now,
    counts: world.counts,
  };
}

/** A person who looks now and then; after the healing, one who does whatever the design leaves to a person. */
function watchOperator(world: World, healed: () => boolean): void {
  const { scheduler, invariants } = world;
  const look = () => {
    const { random } = scheduler;
    const quiet = scheduler.now - Math.max(0, ...world.toldAt.values());
    const active = world.activeOperation;
    const eager = healed() || random.chance(0.4);
    if (eager && world.liveCoordinators.every(({ process }) => process.state === 'paused' && !healed())) {
      // A person does what the last error says.
      const giveUp = world.coordinators.findLast(({ ended }) => ended !== undefined)?.advice ?? '';
      if (active !== undefined)
        world.coordinate({
          kind: giveUp.includes(`operation abort ${active}`) ? 'abort' : 'resume',
          id: active,
        });
      else if (quiet > PATIENCE_MS) world.coordinate({ kind: 'run', force: true, target: null });
    }
    const { authority } = invariants;
    for (const { member } of world.members) {
      const shut = world.memoryOf(member).value.quarantine !== null;
      const leads = authority?.leader === member;
      if (shut && !leads && authority?.phase === 'open' && (healed() || random.chance(0.2)))
        world.rebuild(member);
    }
    scheduler.after(OPERATOR_LOOKS_EVERY_MS * random.between(0.5, 1.5), '', look);
  };
  scheduler.after(OPERATOR_LOOKS_EVERY_MS, '', look);
}
