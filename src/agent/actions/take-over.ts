import { parseLsn } from '../../domain/lsn.ts';
import type { HandoverEnd } from '../../domain/agent-reports.ts';
import { readPositions } from '../replication-facts.ts';
import { handoversOf } from './adopt.ts';
import { readStandbyPosition } from '../standby-position.ts';
import type { Work } from '../work.ts';
import { freeze, reportFrozen } from './freeze.ts';

/** Callers wait while this is waited for. */
const STEP_MS = 5;
/** A target that still lacks something by then never got it: it stops receiving and reports what it has. */
const REPLAYED_WITHIN_MS = 1_000;

/**
 * Reports what this target holds once it has replayed the last record of the leader that handed over. That Postgres has ended
 * and its authority drains, so nothing more can be received until somebody is decided on: it needn't be frozen first.
 */
export async function takeOver(
  work: Work,
  about: { readonly term: number; readonly operation: string; readonly end: HandoverEnd },
): Promise<void> {
  const { admin } = work.postgres;
  const { clock } = work.context;
  const last = parseLsn(about.end.checkpointLsn) ?? 0n;
  const lastMs = clock.monotonicMs() + REPLAYED_WITHIN_MS;
  for (;;) {
    const position = await readStandbyPosition(admin);
    if ((parseLsn(position.lsn) ?? 0n) > last) {
      const handovers = handoversOf(work.estate, work.context.cluster);
      await reportFrozen(work, about, { position, positions: await readPositions(admin, handovers) });
      return;
    }
    if (work.signal.aborted) return;
    if (clock.monotonicMs() >= lastMs) break;
    await clock.sleep(STEP_MS, work.signal);
  }
  await freeze(work, about);
}
