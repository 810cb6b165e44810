import { ETCD_NODES } from '../../sandbox/topology.ts';
import { diceOf } from './means/dice.ts';
import { inForce } from './means/in-force.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { holdPaused } from './means/processes.ts';
import type { Fault } from './types.ts';

/** A member that is silent without being gone: calls to it hang instead of being refused. */
export const pauseEtcd: Fault = {
  name: 'pause-etcd',
  summary: 'SIGSTOP of one etcd member, then SIGCONT',
  holdMs: { min: 1_000, max: 8_000 },
  async inject(ground, planned) {
    const node = diceOf(planned).pick(ETCD_NODES);
    if (node === undefined) throw new NothingToInjectInto('there is no etcd member');
    const held = await holdPaused(ground, node.name);
    return inForce(node.name, { region: node.region, pids: held.pids }, held.release);
  },
};
