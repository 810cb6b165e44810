import { drawCluster } from './means/clusters.ts';
import { inForce } from './means/in-force.ts';
import { PAST_LEASE_MS } from './means/lease.ts';
import { holdPaused } from './means/processes.ts';
import type { Fault } from './types.ts';

/** It wakes up with a right that has lapsed, and must not use it. */
export const pauseLeader: Fault = {
  name: 'pause-leader',
  summary: 'SIGSTOP of a leader’s whole host for longer than its lease, then SIGCONT',
  holdMs: { min: PAST_LEASE_MS, max: PAST_LEASE_MS + 4_000 },
  async inject(ground, planned) {
    const { name, leader, term } = await drawCluster(ground, planned);
    const held = await holdPaused(ground, leader);
    return inForce(leader, { cluster: name, term, pids: held.pids }, held.release);
  },
};
