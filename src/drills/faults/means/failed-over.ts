import type { Ground, InForce, PlannedFault } from '../types.ts';
import { drawCluster, hasFollower } from './clusters.ts';
import { failOver } from './failover.ts';
import { inForce, orUndo } from './in-force.ts';
import type { Held } from './processes.ts';
import { rejoinMembers } from './rejoin.ts';

const FAILOVER_WITHIN_MS = 45_000;
const REJOIN_WITHIN_MS = 60_000;

/**
 * Takes a leader down, and hands its cluster over as soon as its lease has lapsed. Healed, the old host comes back into a
 * term that isn't its own any more, and rejoins.
 */
export async function failedOverAfter(
  ground: Ground,
  planned: PlannedFault,
  takeDown: (leader: string, followers: readonly string[]) => Promise<Held>,
): Promise<InForce> {
  const { name, leader, term, followers } = await drawCluster(ground, planned, hasFollower);
  const downAt = ground.recorder.now();
  const held = await takeDown(leader, followers);
  const rejoin = () => rejoinMembers(ground, name, REJOIN_WITHIN_MS);
  return orUndo(async () => {
    const { signal } = ground;
    const from = { leader, term };
    const order = { cluster: name, from, force: false, timeoutMs: FAILOVER_WITHIN_MS, signal };
    const successor = await failOver(ground, order);
    return inForce(
      leader,
      {
        cluster: name,
        term,
        pids: held.pids,
        down_t: Math.round(downAt),
        successor: successor.leader,
        new_term: successor.term,
      },
      held.release,
      rejoin,
    );
  }, held.release);
}
