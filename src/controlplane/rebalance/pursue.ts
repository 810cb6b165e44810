import { CapstanError } from '../../domain/errors.ts';
import { otherOf } from '../../domain/move-records.ts';
import { interruptedWhile } from './answers.ts';
import { carryOut } from './carry-out.ts';
import { goalOf, readSight, type RebalanceRun, type Sight, tell } from './context.ts';
import { MoveChanges } from './move-changes.ts';
import { type NextStep, nextStep } from './next-step.ts';
import { planOf } from './phases.ts';
import { registerStreams } from './register.ts';
import { Verifications } from './verifications.ts';

const LOOK_MS = 500;
/** An etcd that doesn't answer for longer than this is an operator's matter; the agents go on without. */
const UNREACHABLE_MAX_MS = 30_000;

/**
 * Goes on with the goal that the journal holds until every stream that it means has reached it, or has been refused. Between two
 * looks is where it may be interrupted, superseded or killed; a cutover is never left in the middle by a Ctrl-C.
 */
export async function pursue(given: RebalanceRun): Promise<void> {
  const changes = await MoveChanges.open(given);
  const run: RebalanceRun = { ...given, pause: changes.pause };
  const verifications = new Verifications(run);
  const said = new Map<number, string>();
  try {
    await registerStreams(run);
    for (;;) {
      if (run.signal?.aborted === true) throw interruptedWhile(run.operation.held.value);
      verifications.throwFailure();
      const sight = await readWhenReachable(run);
      const acted = await look(run, { sight, verifications, said });
      if (acted === 'settled') return;
      if (acted === 'waits') await changes.pause(LOOK_MS, run.signal);
    }
  } finally {
    await verifications.stop();
    await changes.close();
  }
}

async function look(
  run: RebalanceRun,
  about: {
    readonly sight: Sight;
    readonly verifications: Verifications;
    readonly said: Map<number, string>;
  },
): Promise<'acted' | 'waits' | 'settled'> {
  const { sight, verifications, said } = about;
  const goal = goalOf(run.operation.held);
  const copies = copiesUnderWay(sight);
  let waits = false;
  let changed = false;
  for (const view of sight.streams.values()) {
    const { value: record } = view.move;
    const meant = goal.streams.includes(record.stream) && !run.results.has(record.stream);
    const step = nextStep({
      view,
      goal: meant ? { kind: goal.kind, askedAtMs: Date.parse(goal.askedAt) } : null,
      contract: run.contract,
      ...planOf(run.operation.held.value).options,
      compared: verifications.hasCompared(record),
      copies,
      nowMs: run.clock.wallMs(),
    });
    if (meant && step.kind !== 'so' && step.kind !== 'refused') waits = true;
    say(run, { step, record, said });
    const acted = await carryOut(run, { view, step, sight, verifications });
    count(copies, step, [record.from, record.to]);
    // What it was decided on is an operation and a map of before.
    if (acted && (step.kind === 'cutover' || step.kind === 'end' || step.kind === 'unseal')) return 'acted';
    if (acted && step.kind !== 'verify') changed = true;
  }
  if (changed) return 'acted';
  return waits ? 'waits' : 'settled';
}

/** Per cluster: the copies into it and out of it that are under way. */
function copiesUnderWay({ streams }: Sight): Map<string, number> {
  const copies = new Map<string, number>();
  for (const { move } of streams.values()) {
    if (move.value.phase !== 'copy') continue;
    for (const cluster of [move.value.owner, otherOf(move.value)])
      copies.set(cluster, (copies.get(cluster) ?? 0) + 1);
  }
  return copies;
}

function count(copies: Map<string, number>, step: NextStep, clusters: readonly string[]): void {
  if (step.kind !== 'transition' || (step.event !== 'begin' && step.event !== 'recopy')) return;
  for (const cluster of clusters) copies.set(cluster, (copies.get(cluster) ?? 0) + 1);
}

function say(
  run: RebalanceRun,
  about: {
    readonly step: NextStep;
    readonly record: Parameters<typeof tell>[1];
    readonly said: Map<number, string>;
  },
): void {
  const { step, record, said } = about;
  if (step.kind !== 'wait' || said.get(record.stream) === step.for) return;
  said.set(record.stream, step.for);
  tell(run, record, { state: 'waiting', detail: `waiting for ${step.for}` });
}

async function readWhenReachable(run: RebalanceRun): Promise<Sight> {
  const begun = run.clock.monotonicMs();
  for (;;) {
    try {
      return await readSight(run);
    } catch (error) {
      const silent = error instanceof CapstanError && error.code === 'etcd_unreachable';
      const tooLong = run.clock.monotonicMs() - begun > UNREACHABLE_MAX_MS;
      if (!silent || tooLong || run.signal?.aborted === true) throw error;
      await run.clock.sleep(LOOK_MS, run.signal);
    }
  }
}
