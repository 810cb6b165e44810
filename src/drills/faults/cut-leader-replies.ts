import { SERVING_REGIONS } from '../../sandbox/topology.ts';
import { drawCluster } from './means/clusters.ts';
import { inForce } from './means/in-force.ts';
import { disturb } from './means/links.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import type { Fault } from './types.ts';

/** The other region's gateway decides at the leader and never hears of it. */
export const cutLeaderReplies: Fault = {
  name: 'cut-leader-replies',
  summary: 'the way from a leader’s region to the other one loses everything: requests arrive, replies don’t',
  holdMs: { min: 1_000, max: 8_000 },
  async inject(ground, planned) {
    const { name, leader, plan } = await drawCluster(ground, planned);
    const from = plan.members.find((member) => member.name === leader)?.region;
    const to = SERVING_REGIONS.find((region) => region !== from);
    if (from === undefined || to === undefined)
      throw new NothingToInjectInto(`${leader} has no other region`);
    const release = await disturb(ground, [{ from, to }], { cut: 'lose' });
    return inForce(`${from} -> ${to}`, { cluster: name, leader, cut: 'lose' }, release);
  },
};
