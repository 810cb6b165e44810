import { ETCD_NODES } from '../../sandbox/topology.ts';
import { diceOf } from './means/dice.ts';
import { inForce } from './means/in-force.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { holdDead } from './means/processes.ts';
import type { Fault } from './types.ts';

/** One of three: everything goes on with the other two. */
export const killEtcd: Fault = {
  name: 'kill-etcd',
  summary: 'kill -9 of one etcd member, which is started again later',
  holdMs: { min: 1_000, max: 8_000 },
  async inject(ground, planned) {
    const node = diceOf(planned).pick(ETCD_NODES);
    if (node === undefined) throw new NothingToInjectInto('there is no etcd member');
    const held = await holdDead(ground, node.name);
    return inForce(node.name, { region: node.region, pids: held.pids }, held.release);
  },
};
