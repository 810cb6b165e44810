import { drawCluster } from './means/clusters.ts';
import { inForce } from './means/in-force.ts';
import { holdDead } from './means/processes.ts';
import type { Fault } from './types.ts';

/** Nobody extends the lease, and nobody shuts Postgres: its own clock has to end the right. */
export const killAgent: Fault = {
  name: 'kill-agent',
  summary: 'kill -9 of a leader’s agent alone: its Postgres runs on with the right that it has',
  holdMs: { min: 1_000, max: 8_000 },
  async inject(ground, planned) {
    const { name, leader, term } = await drawCluster(ground, planned);
    const held = await holdDead(ground, leader, 'agent');
    return inForce(leader, { cluster: name, term, pids: held.pids }, held.release);
  },
};
