import type { Ground, InForce, PlannedFault } from '../types.ts';
import { drawCluster, hasFollower, readViews } from './clusters.ts';
import { acknowledge, failOver, type Successor } from './failover.ts';
import { inForce, orUndo } from './in-force.ts';
import { rejoinMembers } from './rejoin.ts';
import type { Held } from './processes.ts';

const FAILOVER_WITHIN_MS = 45_000;
const REJOIN_WITHIN_MS = 60_000;

/** A leader that is taken down, in some way that is worth telling. */
interface Taken extends Held {
  readonly told?: string;
}

export type TakeDown = (
  leader: string,
  followers: readonly string[],
  cluster: { readonly name: string; readonly term: number },
) => Promise<Taken>;

export interface FailedOverOptions {
  /** Nobody but the agents begins it for so long. */
  readonly leftToAgentsMs?: number;
  /** From then on also while the leader looks healthy; never: undefined. */
  readonly forceAfterMs?: number;
}

/**
 * Takes a leader down, and hands its cluster over as soon as its lease has lapsed. Healed, the old host comes back into a
 * term that isn't its own any more, and rejoins; the block that failovers in a row leave behind is lifted.
 */
export async function failedOverAfter(
  ground: Ground,
  planned: PlannedFault,
  takeDown: TakeDown,
  options: FailedOverOptions = {},
): Promise<InForce> {
  const { name, leader, term, followers } = await drawCluster(ground, planned, hasFollower);
  const downAt = ground.recorder.now();
  const held = await takeDown(leader, followers, { name, term });
  const rejoin = async () => {
    await rejoinMembers(ground, name, REJOIN_WITHIN_MS);
    const view = (await readViews(ground)).get(name);
    if (view !== undefined) await acknowledge(ground, view);
  };
  return orUndo(async () => {
    const { signal } = ground;
    const from = { leader, term };
    const order = {
      cluster: name,
      from,
      force: false,
      timeoutMs: FAILOVER_WITHIN_MS,
      signal,
      ...options,
    };
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
        told: toldOf(successor, held.told),
      },
      held.release,
      rejoin,
    );
  }, held.release);
}

const toldOf = ({ by, forced }: Successor, told: string | undefined): string =>
  [told, by === null ? null : `failed over by ${by}${forced ? ', forced' : ''}`]
    .filter((part) => typeof part === 'string')
    .join('; ');
