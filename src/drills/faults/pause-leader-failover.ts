import { failedOverAfter } from './means/failed-over.ts';
import { FAILOVER_HOLD } from './means/lease.ts';
import { holdPaused } from './means/processes.ts';
import type { Fault } from './types.ts';

/** The old leader wakes up in the past: it holds commits that wait, and believes in its term. */
export const pauseLeaderFailover: Fault = {
  name: 'pause-leader-failover',
  summary: 'SIGSTOP of a leader’s whole host, a failover meanwhile, then SIGCONT; the old host rejoins',
  holdMs: FAILOVER_HOLD,
  inject: (ground, planned) => failedOverAfter(ground, planned, (leader) => holdPaused(ground, leader)),
};
