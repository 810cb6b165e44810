import { setTimeout as delay } from 'node:timers/promises';
import { failedOverAfter } from './means/failed-over.ts';
import { orUndo } from './means/in-force.ts';
import { FAILOVER_HOLD } from './means/lease.ts';
import { type Held, holdDead } from './means/processes.ts';
import type { Fault, Ground } from './types.ts';

/** Long enough for many batches to wait, short of the lease. */
const AHEAD_MS = 1_500;

/** What only the leader had is lost with it; whoever was told of it was told too early. */
export const killLeaderAhead: Fault = {
  name: 'kill-leader-ahead',
  summary:
    'kill -9 of a follower’s host, a moment later of its leader’s, which is ahead by then; the follower takes over',
  holdMs: FAILOVER_HOLD,
  inject: (ground, planned) =>
    failedOverAfter(ground, planned, (leader, followers) => killAhead(ground, leader, followers)),
};

/** A follower that was only paused would find in its socket what the leader had sent it meanwhile. */
async function killAhead(ground: Ground, leader: string, followers: readonly string[]): Promise<Held> {
  const down: Held[] = [];
  const bringBack = async () => {
    for (const { release } of down) await release();
  };
  return orUndo(async () => {
    for (const follower of followers) down.push(await holdDead(ground, follower));
    await delay(AHEAD_MS, undefined, { signal: ground.signal });
    const held = await holdDead(ground, leader);
    await bringBack();
    return held;
  }, bringBack);
}
