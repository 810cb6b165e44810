import { GATEWAY_NODES } from '../../sandbox/topology.ts';
import { diceOf } from './means/dice.ts';
import { inForce } from './means/in-force.ts';
import { PAST_LEASE_MS } from './means/lease.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { holdPaused } from './means/processes.ts';
import type { Fault } from './types.ts';

/** Replies that it finds when it wakes are older than the right that they were given under. */
export const pauseGateway: Fault = {
  name: 'pause-gateway',
  summary: 'SIGSTOP of a region’s gateway, also for longer than a lease, then SIGCONT',
  holdMs: { min: 1_000, max: PAST_LEASE_MS + 2_000 },
  async inject(ground, planned) {
    const gateway = diceOf(planned).pick(GATEWAY_NODES);
    if (gateway === undefined) throw new NothingToInjectInto('there is no gateway');
    const held = await holdPaused(ground, gateway.name);
    return inForce(gateway.name, { region: gateway.region, pids: held.pids }, held.release);
  },
};
