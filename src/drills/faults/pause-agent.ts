import { drawCluster } from './means/clusters.ts';
import { inForce } from './means/in-force.ts';
import { PAST_LEASE_MS } from './means/lease.ts';
import { holdPaused } from './means/processes.ts';
import type { Fault } from './types.ts';

/** Awake again, it must not take the time that it slept for a right. */
export const pauseAgent: Fault = {
  name: 'pause-agent',
  summary: 'SIGSTOP of a leader’s agent alone for longer than the lease, then SIGCONT',
  holdMs: { min: PAST_LEASE_MS, max: PAST_LEASE_MS + 4_000 },
  async inject(ground, planned) {
    const { name, leader, term } = await drawCluster(ground, planned);
    const held = await holdPaused(ground, leader, 'agent');
    return inForce(leader, { cluster: name, term, pids: held.pids }, held.release);
  },
};
