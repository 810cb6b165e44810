import { drawCluster } from './means/clusters.ts';
import { inForce } from './means/in-force.ts';
import { holdDead } from './means/processes.ts';
import type { Fault } from './types.ts';

/** Nobody fails it over: the leader is granted anew under its own term, with all that it had confirmed. */
export const killLeader: Fault = {
  name: 'kill-leader',
  summary: 'kill -9 of a leader’s whole host, which is started again later and leads on under its term',
  holdMs: { min: 1_000, max: 6_000 },
  async inject(ground, planned) {
    const { name, leader, term } = await drawCluster(ground, planned);
    const held = await holdDead(ground, leader);
    return inForce(leader, { cluster: name, term, pids: held.pids }, held.release);
  },
};
