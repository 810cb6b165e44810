import { hasMemberLinks } from '../../sandbox/state.ts';
import { ETCD_END } from '../../sandbox/topology.ts';
import { choose, diceOf } from './means/dice.ts';
import { failedOverAfter, type TakeDown } from './means/failed-over.ts';
import { FAILOVER_HOLD } from './means/lease.ts';
import { disturb } from './means/links.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import type { Fault, Ground, PlannedFault } from './types.ts';

/** Agents have it to themselves for so long: the lease, its drift, the grace, and a busy machine. */
const LEFT_TO_AGENTS_MS = 12_000;
/** An operator doesn't trust a leader for longer that looks healthy and answers nobody. */
const FORCED_AFTER_MS = 6_000;

type Ends = (about: {
  readonly leader: string;
  readonly followers: readonly string[];
}) => readonly (readonly [string, string])[];

const toEtcd: Ends = ({ leader }) => [[leader, ETCD_END]];
const toFollowers: Ends = ({ leader, followers }) => followers.map((follower) => [leader, follower]);

const cutLeader = (
  name: string,
  about: { readonly summary: string; readonly ends: Ends; readonly oneWay: boolean },
): Fault => ({
  name,
  summary: about.summary,
  holdMs: FAILOVER_HOLD,
  inject: (ground, planned) => {
    // Drawn at once: what is asked of others can't change it.
    const dice = diceOf(planned);
    const cut = choose(dice, ['hold', 'lose'] as const);
    const outward = dice.chance(0.5);
    const takeDown: TakeDown = async (leader, followers, { name: cluster, term }) => {
      const pairs = about.ends({ leader, followers }).flatMap(([from, to]) => {
        const [out, home] = [
          { from, to },
          { from: to, to: from },
        ];
        return !about.oneWay ? [out, home] : outward ? [out] : [home];
      });
      const heal = await disturb(ground, pairs, { cut });
      const way = !about.oneWay ? 'both ways' : outward ? 'what it says' : 'what it is told';
      const told = `${way}, ${cut === 'hold' ? 'late' : 'lost'}`;
      if (about.ends !== toEtcd) return { pids: [], release: heal, told };
      // Whether its renewals don't arrive or it doesn't learn that they did: its right runs out.
      const isolated = { kind: 'isolated', cluster, member: leader, term } as const;
      ground.recorder.record({ ...isolated, phase: 'began' });
      let isCut = true;
      const release = async () => {
        if (isCut) ground.recorder.record({ ...isolated, phase: 'ended' });
        isCut = false;
        await heal();
      };
      return { pids: [], release, told };
    };
    return withMemberLinks(ground, planned, takeDown, about.ends === toEtcd ? LEFT_TO_AGENTS_MS : 0);
  },
});

function withMemberLinks(ground: Ground, planned: PlannedFault, takeDown: TakeDown, leftToAgentsMs: number) {
  if (!hasMemberLinks(ground.state)) {
    throw new NothingToInjectInto(
      'this sandbox can’t cut off one member alone: capstan sandbox up --member-links makes one that can',
    );
  }
  return failedOverAfter(ground, planned, takeDown, { leftToAgentsMs, forceAfterMs: FORCED_AFTER_MS });
}

/** Its right lapses; those beside it, whom etcd hears, take over by themselves. */
export const cutLeaderEtcd = cutLeader('cut-leader-etcd', {
  summary: 'a leader alone is cut off from etcd, both ways; it is failed over, later it can talk again',
  ends: toEtcd,
  oneWay: false,
});

/** It may look healthy to etcd and hear nothing of it, or the other way round. */
export const cutLeaderEtcdOneWay = cutLeader('cut-leader-etcd-one-way', {
  summary:
    'what a leader says to etcd is cut off, or what etcd says to it; failed over, by force if it looks healthy',
  ends: toEtcd,
  oneWay: true,
});

/** It keeps its right and can confirm nothing. */
export const cutLeaderFollower = cutLeader('cut-leader-follower', {
  summary: 'a leader is cut off from its synchronous follower, both ways; it is failed over by force',
  ends: toFollowers,
  oneWay: false,
});

/** What the follower holds and what the leader knows of it are two things. */
export const cutLeaderFollowerOneWay = cutLeader('cut-leader-follower-one-way', {
  summary: 'one way between a leader and its synchronous follower is cut off; it is failed over by force',
  ends: toFollowers,
  oneWay: true,
});
