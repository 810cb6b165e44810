import { setTimeout as delay } from 'node:timers/promises';
import { formatDurationMs } from '../../domain/duration.ts';
import type { MemberNode } from '../../sandbox/topology.ts';
import { drawCluster, hasFollower, type OpenCluster, readViews } from './means/clusters.ts';
import { diceOf } from './means/dice.ts';
import { inForce } from './means/in-force.ts';
import { changeMember, restoreMembers } from './means/members.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { rejoinMembers } from './means/rejoin.ts';
import type { Fault, Ground, PlannedFault } from './types.ts';

const CHANGE_WITHIN_MS = 60_000;
const WHOLE_WITHIN_MS = 60_000;
/** Long enough for decisions that are made without it. */
const WITHOUT_MS = { min: 500, max: 2_500 } as const;

const changing = (
  name: string,
  summary: string,
  choose: (cluster: OpenCluster) => readonly MemberNode[],
): Fault => ({
  name,
  summary,
  holdMs: { min: 3_000, max: 6_000 },
  inject: (ground, planned) => change(ground, planned, choose),
});

/** Nothing is proved to the other region meanwhile, and nothing is promised. */
export const changeObserver = changing(
  'change-observer',
  'an observer is removed from its cluster; later it is added as a learner and promoted',
  ({ plan }) => plan.members.filter(({ region }) => region !== plan.homeRegion),
);

/** The last voter but the leader: the cluster is degraded meanwhile, and each answer says so. */
export const changeVoter = changing(
  'change-voter',
  'the synchronous follower is removed, which is accepted; later it is added as a learner and promoted',
  ({ plan, followers }) => plan.members.filter(({ name }) => followers.includes(name)),
);

async function change(
  ground: Ground,
  planned: PlannedFault,
  choose: (cluster: OpenCluster) => readonly MemberNode[],
) {
  const dice = diceOf(planned);
  const cluster = await drawCluster(ground, planned, hasFollower);
  const member = dice.pick(choose(cluster));
  if (member === undefined) throw new NothingToInjectInto(`${cluster.name} has no such member`);
  const about = { member, timeoutMs: CHANGE_WITHIN_MS };
  const began = performance.now();
  const since = () => formatDurationMs(Math.round(performance.now() - began));
  await changeMember(ground, { ...about, action: 'remove', acceptDegraded: true });
  const detail = {
    cluster: cluster.name,
    term: cluster.term,
    epoch: await epochOf(ground, cluster.name),
    told: `removed in ${since()}`,
  };
  const withoutMs = dice.whole(WITHOUT_MS.min, WITHOUT_MS.max);
  await delay(withoutMs, undefined, { signal: ground.signal }).catch(() => undefined);
  return inForce(member.name, detail, async () => {
    const again = performance.now();
    const took = () => formatDurationMs(Math.round(performance.now() - again));
    const roleBefore = (await readViews(ground)).get(cluster.name)?.membership?.value.members[member.name];
    if (roleBefore === undefined) await changeMember(ground, { ...about, action: 'add', asLearner: true });
    const addedIn = took();
    const view = (await readViews(ground)).get(cluster.name);
    if (view !== undefined) await restoreMembers(ground, view, CHANGE_WITHIN_MS);
    await rejoinMembers(ground, cluster.name, WHOLE_WITHIN_MS);
    detail.epoch = await epochOf(ground, cluster.name);
    detail.told = `${detail.told}, added as a learner in ${addedIn}, promoted and whole after ${took()}; epoch ${detail.epoch}`;
  });
}

const epochOf = async (ground: Ground, cluster: string): Promise<number | null> =>
  (await readViews(ground)).get(cluster)?.membership?.value.epoch ?? null;
