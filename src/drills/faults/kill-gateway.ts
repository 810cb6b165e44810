import { GATEWAY_NODES } from '../../sandbox/topology.ts';
import { diceOf } from './means/dice.ts';
import { inForce } from './means/in-force.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { holdDead } from './means/processes.ts';
import type { Fault } from './types.ts';

/** Batches in flight lose their sender; each token still has one outcome. */
export const killGateway: Fault = {
  name: 'kill-gateway',
  summary: 'kill -9 of a region’s gateway, which is started again later',
  holdMs: { min: 500, max: 5_000 },
  async inject(ground, planned) {
    const gateway = diceOf(planned).pick(GATEWAY_NODES);
    if (gateway === undefined) throw new NothingToInjectInto('there is no gateway');
    const held = await holdDead(ground, gateway.name);
    return inForce(gateway.name, { region: gateway.region, pids: held.pids }, held.release);
  },
};
