import { drawCluster, hasFollower } from './means/clusters.ts';
import { diceOf } from './means/dice.ts';
import { inForce } from './means/in-force.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { holdPaused } from './means/processes.ts';
import type { Fault } from './types.ts';

/** Commits are there on the leader and wait; nobody may be told of them. */
export const pauseFollower: Fault = {
  name: 'pause-follower',
  summary: 'SIGSTOP of the host of a synchronous follower for some seconds, so that commits wait',
  holdMs: { min: 1_000, max: 7_000 },
  async inject(ground, planned) {
    const { name, leader, followers } = await drawCluster(ground, planned, hasFollower);
    const follower = diceOf(planned).pick(followers);
    if (follower === undefined) throw new NothingToInjectInto(`${name} has no synchronous follower`);
    const held = await holdPaused(ground, follower);
    return inForce(follower, { cluster: name, leader, pids: held.pids }, held.release);
  },
};
