import { readClusterView } from '../cluster-view.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { stepResult } from '../operation/record.ts';
import { interrupted, report, transition } from '../operation/run.ts';
import { waitFor } from '../operation/wait.ts';
import { type MeasuredPause, measuredPause, planOf, type SwitchoverRun } from './context.ts';

/** `elsewhere`: the leader was replaced meanwhile. */
type Again = { readonly kind: 'leads'; readonly pause: MeasuredPause } | { readonly kind: 'elsewhere' };

/** Sees that the old leader has its lease again, and ends the operation as aborted with the pause that it cost. */
export async function backOutStep(run: SwitchoverRun, held: HeldOperation): Promise<HeldOperation> {
  const { cluster } = held.value;
  const { leader, term } = planOf(held.value);
  const waited = await waitFor({
    check: async (): Promise<Again | undefined> => {
      const [view] = await Promise.all([
        readClusterView(run.etcd, run.keys, cluster),
        run.journal.assertHeld(held),
      ]);
      const authority = view?.authority;
      const lease = view?.lease;
      if (authority?.value.term !== term || authority.value.phase !== 'open') return { kind: 'elsewhere' };
      const renewed =
        lease?.value.term === term &&
        lease.value.leader === leader &&
        BigInt(lease.revision) > BigInt(authority.revision);
      if (renewed) return { kind: 'leads', pause: measuredPause(run, held.value) };
      report(run, held.value, { state: 'waiting', detail: `waiting for ${leader} to decide again` });
      return undefined;
    },
    timeoutMs: run.contract.deadlines.openMs,
    signal: run.signal,
    clock: run.clock,
    pause: run.pause,
  });
  if (waited.kind === 'interrupted') throw interrupted(run, held.value);
  const again = waited.kind === 'found' && waited.value.kind === 'leads' ? waited.value : undefined;
  const reason = stepResult(held.value, 'drain')?.['reason'];
  const why = typeof reason === 'string' ? reason : 'it was given back';
  const pauseMs = again?.pause.pauseMs ?? null;
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: { reason: why, leader, decides: again !== undefined, pauseMs, ...again?.pause },
    error: {
      code: 'switchover_backed_out',
      message: `${leader} leads ${cluster} on under term ${term}: ${why}${pauseMs === null ? '' : `; nobody could decide for ${pauseMs} ms`}`,
    },
  });
  return moved ?? held;
}
