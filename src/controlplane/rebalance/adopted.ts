import type { MoveRecord } from '../../domain/move-records.ts';
import { waitFor } from '../operation/wait.ts';
import { readSight, type RebalanceRun, tell } from './context.ts';
import { note } from './write.ts';

/** Longer than this isn't a pause of a cutover any more; whoever goes on with the stream measures it then. */
const ADOPT_MS = 15_000;
const INTERRUPTED_MS = 2_000;

/**
 * Waits until the new owner's leader has taken the shards over, which its first report of the new leg says, and notes how long
 * callers have waited by this process's monotonic clock. Null: not known yet.
 */
export async function awaitAdopted(
  run: RebalanceRun,
  flipped: MoveRecord,
  sealSentMs: number,
): Promise<number | null> {
  const { clock } = run;
  const waited = await waitFor({
    check: async (): Promise<'adopted' | 'elsewhere' | undefined> => {
      const view = (await readSight(run)).streams.get(flipped.stream);
      if (view === undefined || view.move.value.leg !== flipped.leg) return 'elsewhere';
      return view.ownerSays === undefined ? undefined : 'adopted';
    },
    timeoutMs: run.signal?.aborted === true ? INTERRUPTED_MS : ADOPT_MS,
    signal: undefined,
    clock,
    pause: run.pause,
  });
  if (waited.kind !== 'found' || waited.value !== 'adopted') return null;
  const pauseMs = Math.round(clock.monotonicMs() - sealSentMs);
  const noted = await note(run, flipped, ({ handover }) =>
    handover === null ? undefined : { handover: { ...handover, pauseMs } },
  );
  const detail = `${flipped.owner} owns them; callers waited ${pauseMs} ms`;
  tell(run, noted?.value ?? flipped, { state: 'finished', detail });
  return pauseMs;
}
