import type { RebalanceRun, Sight } from './context.ts';
import { tell } from './context.ts';
import type { StreamView } from './stream-view.ts';
import { backOutIn } from './unseal.ts';
import { writeMove } from './write.ts';

const FOUND = {
  code: 'cutover_backed_out',
  message: 'its coordinator went away while the shards were sealed',
} as const;

/** Backs a seal out that another coordinator has left: how long callers have waited for it isn't known. */
export async function unseal(run: RebalanceRun, view: StreamView, { estate }: Sight): Promise<void> {
  const { operation, stream } = view.move.value;
  const { keys, clock, actor } = run;
  const written = await writeMove(run, {
    operation,
    stream,
    held: view.move,
    build: (transaction) =>
      backOutIn(transaction, { keys, clock, actor, held: view.move, sight: estate, error: FOUND }),
  });
  if (written !== undefined) tell(run, written.value, { state: 'finished', detail: FOUND.message });
}
