import { nowOf } from '../../clock/clock.ts';
import type { CapstanError } from '../../domain/errors.ts';
import { auditIn } from '../audit.ts';
import { finishStep } from '../operation/record.ts';
import { answersOf, failureOf, type StreamAnswer } from './answers.ts';
import { goalOf, readSight, type RebalanceRun } from './context.ts';

export interface GoalEnd {
  readonly answers: readonly StreamAnswer[];
  /** Undefined: the goal was reached. */
  readonly failure: CapstanError | undefined;
}

/** Puts what came of the goal into the journal; with its last stream the operation ends. */
export async function endGoal(run: RebalanceRun): Promise<GoalEnd> {
  const { machine, clock, actor, keys } = run;
  const sight = await readSight(run);
  const { held } = run.operation;
  const goal = goalOf(held);
  const answers = answersOf(goal, {
    streams: new Map([...sight.streams].map(([stream, { move }]) => [stream, move.value])),
    outcomes: held.value.outcomes ?? [],
    results: run.results,
  });
  const failure = failureOf(held.value, goal, answers);
  const ending = goal.kind === 'complete' || goal.kind === 'cancel';
  const event = ending && sight.streams.size > 0 ? 'differs' : 'completed';
  const next = machine.advance(machine.phaseOf(held.value), event);
  // What moved is not undone by giving up what is left.
  const moved = held.value.outcomes?.some(({ outcome }) => outcome === 'moved') === true;
  const phase = next === 'aborted' && moved ? 'done' : next;
  const written = await run.journal.update({
    held,
    next: finishStep({
      record: held.value,
      result: { goal: goal.kind, streams: answers },
      phase,
      status: machine.statusOf(phase),
      error: failure === undefined ? null : { code: failure.code, message: failure.message },
      now: nowOf(clock),
    }),
    with: (transaction) => {
      const entry = {
        actor,
        action: 'rebalance.goal',
        target: held.value.cluster,
        operation: held.value.id,
        planHash: held.value.planHash,
        before: { phase: held.value.phase, goal: goal.kind },
        after: {
          phase,
          streams: answers.map(({ stream, result, owner, pauseMs }) => ({ stream, result, owner, pauseMs })),
        },
        ...(failure === undefined ? {} : { outcome: 'failed' as const, reason: failure.message }),
      };
      auditIn(transaction, keys, entry, clock);
    },
  });
  if (written.kind === 'written') run.operation.held = written.held;
  return { answers, failure };
}
