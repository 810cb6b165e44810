import { assertNever } from '../../domain/errors.ts';
import type { MovePatch } from './transitions.ts';
import { goalOf, type RebalanceRun, type Sight, type StreamResult, tell } from './context.ts';
import { cutOver } from './cutover.ts';
import { endStream } from './end-stream.ts';
import type { NextStep } from './next-step.ts';
import type { StreamView } from './stream-view.ts';
import { unseal } from './unseal-found.ts';
import type { Verifications } from './verifications.ts';
import { moveOn } from './write.ts';

/** Carries out what comes next for a stream. True: something was done, so that everything is to be looked at anew. */
export async function carryOut(
  run: RebalanceRun,
  about: {
    readonly view: StreamView;
    readonly step: NextStep;
    readonly sight: Sight;
    readonly verifications: Verifications;
  },
): Promise<boolean> {
  const { view, step, sight, verifications } = about;
  const { value: record } = view.move;
  switch (step.kind) {
    case 'so':
    case 'wait':
      return false;
    case 'refused':
      run.results.set(record.stream, refusedResult(step.refusal));
      return true;
    case 'verify':
      return verifications.begin(view.move);
    case 'transition': {
      const patch = { ...step.patch, ...measured(run, view, step.event) };
      const moved = await moveOn(run, view.move, step.event, patch);
      if (moved !== undefined) tell(run, moved.value, { state: 'finished', detail: step.why });
      return true;
    }
    case 'unseal':
      await unseal(run, view, sight);
      return true;
    case 'cutover': {
      const result = await cutOver(run, record);
      if (result !== undefined && result.result !== 'reached') run.results.set(record.stream, result);
      if (result?.result === 'backed-out') giveUpTheOthers(run, sight);
      return true;
    }
    case 'end':
      await endStream(run, view, sight);
      return true;
    default:
      return assertNever(step);
  }
}

/** A pause whose end was missed is known to have been no longer than until now. */
function measured(run: RebalanceRun, { move }: StreamView, event: string): MovePatch {
  const sinceMs = run.pausedSinceMs.get(move.value.stream);
  const { handover } = move.value;
  if (event !== 'turned' || sinceMs === undefined || handover === null || handover.pauseMs !== null)
    return {};
  return { handover: { ...handover, pauseMs: Math.round(run.clock.monotonicMs() - sinceMs) } };
}

const refusedResult = (refusal: {
  readonly code: string;
  readonly message: string;
  readonly next: string;
}): StreamResult => ({
  result: refusal.code === 'move_differs' ? 'differs' : 'refused',
  ...refusal,
  pauseMs: null,
});

/** Callers have waited in vain once: what made them will most likely do so again. */
function giveUpTheOthers(run: RebalanceRun, { streams }: Sight): void {
  const goal = goalOf(run.operation.held);
  for (const stream of goal.streams) {
    const record = streams.get(stream)?.move.value;
    const there = record?.owner === (goal.kind === 'reverse' ? record?.from : record?.to);
    if (run.results.has(stream) || there) continue;
    run.results.set(stream, {
      result: 'not-tried',
      code: 'cutover_backed_out',
      message: 'an earlier cutover was backed out',
      next: null,
      pauseMs: null,
    });
  }
}
