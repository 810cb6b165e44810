import { drawCluster, hasFollower } from './means/clusters.ts';
import { diceOf } from './means/dice.ts';
import { inForce } from './means/in-force.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { holdDead } from './means/processes.ts';
import type { Fault } from './types.ts';

/** Commits wait: nothing may be confirmed that only the leader holds. */
export const killFollower: Fault = {
  name: 'kill-follower',
  summary: 'kill -9 of the host of a synchronous follower, which is started again later',
  holdMs: { min: 1_000, max: 6_000 },
  async inject(ground, planned) {
    const { name, leader, followers } = await drawCluster(ground, planned, hasFollower);
    const follower = diceOf(planned).pick(followers);
    if (follower === undefined) throw new NothingToInjectInto(`${name} has no synchronous follower`);
    const held = await holdDead(ground, follower);
    return inForce(follower, { cluster: name, leader, pids: held.pids }, held.release);
  },
};
