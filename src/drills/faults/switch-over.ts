import { drawCluster, hasFollower, type OpenCluster, readViews } from './means/clusters.ts';
import { choose, diceOf } from './means/dice.ts';
import { inForce, orUndo } from './means/in-force.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { type Held, holdPaused } from './means/processes.ts';
import { rejoinMembers } from './means/rejoin.ts';
import { switchOver, type SwitchoverOutcome, untilRunnable } from './means/switchover.ts';
import type { Fault, Ground } from './types.ts';

const WITHIN_MS = 60_000;
const RUNNABLE_WITHIN_MS = 20_000;
const TRIES = 3;
/** Longer than a switchover waits before it backs out. */
const PAUSED_FOR_MS = 10_000;
const WHOLE_WITHIN_MS = 60_000;

/** Nothing is lost, and nobody hears more of it than a moment's wait. */
export const switchOverAndBack: Fault = {
  name: 'switch-over',
  summary: 'a leader hands its cluster over to its follower, as planned, and later gets it back',
  holdMs: { min: 3_000, max: 6_000 },
  async inject(ground, planned) {
    const { name, leader, term } = await drawCluster(ground, planned, hasFollower);
    const downAt = ground.recorder.now();
    const there = await handOver(ground, name);
    const detail = {
      cluster: name,
      term,
      down_t: Math.round(downAt),
      operation: there.operation,
      successor: there.leader,
      new_term: there.term,
      pause_ms: there.pauseMs,
      back_pause_ms: null as number | null,
      told: `nobody could decide for ${there.pauseMs ?? '?'} ms${afterwards(there)}`,
    };
    return inForce(leader, detail, async () => {
      await rejoinMembers(ground, name, WHOLE_WITHIN_MS);
      if (detail.back_pause_ms === null) {
        const back = await handOver(ground, name);
        detail.back_pause_ms = back.pauseMs;
        detail.told = `${detail.told}; and for ${back.pauseMs ?? '?'} ms on the way back${afterwards(back)}`;
      }
      await rejoinMembers(ground, name, WHOLE_WITHIN_MS);
    });
  },
};

const handOver = (ground: Ground, cluster: string): Promise<SwitchoverOutcome> =>
  switchOver(ground, { cluster, timeoutMs: WITHIN_MS, signal: ground.signal });

const afterwards = ({ backedOut }: SwitchoverOutcome): string =>
  backedOut === null ? '' : ` (after ${backedOut})`;

/** What can't be finished is given back: the old leader leads on, and nothing is lost by it. */
export const switchOverBackedOut: Fault = {
  name: 'switch-over-stopped',
  summary: 'a leader is to hand over to a follower that is paused in the middle; it backs out and leads on',
  holdMs: { min: 4_000, max: 7_000 },
  async inject(ground, planned) {
    const cluster = await drawCluster(ground, planned, hasFollower);
    const [target] = cluster.followers;
    if (target === undefined) throw new NothingToInjectInto(`${cluster.name} has no synchronous follower`);
    const how = choose(diceOf(planned), ['agent', 'host'] as const);
    const held: Held[] = [];
    const release = async () => {
      for (const { release: letGo } of held) await letGo();
    };
    return orUndo(async () => {
      const downAt = ground.recorder.now();
      const outcome = await tryHandOver(ground, { cluster, target, how, held });
      const after = (await readViews(ground)).get(cluster.name)?.authority?.value;
      const went = outcome.leader !== null && outcome.leader !== cluster.leader;
      const detail = {
        cluster: cluster.name,
        term: cluster.term,
        how,
        down_t: Math.round(downAt),
        operation: outcome.operation,
        leader_after: after?.leader ?? null,
        pause_ms: outcome.pauseMs,
        told: went
          ? `${outcome.leader} had taken over before it was paused`
          : (outcome.backedOut ?? 'nothing was begun'),
      };
      return inForce(target, detail, release, () => rejoinMembers(ground, cluster.name, WHOLE_WITHIN_MS));
    }, release);
  },
};

/** Something else may refuse it once the agent is paused; a moment later it needn't. */
async function tryHandOver(ground: Ground, about: Stopped): Promise<SwitchoverOutcome> {
  for (let tries = 1; ; tries += 1) {
    await untilRunnable(ground, about.cluster.name, RUNNABLE_WITHIN_MS);
    try {
      return await handOverTo(ground, about);
    } catch (error) {
      for (const { release } of about.held.splice(0)) await release();
      if (!(error instanceof NothingToInjectInto) || tries === TRIES || ground.signal.aborted) throw error;
    }
  }
}

interface Stopped {
  readonly cluster: OpenCluster;
  readonly target: string;
  readonly how: 'agent' | 'host';
  readonly held: Held[];
}

/** Its agent is paused before the first step, so that it answers nothing; or its whole host once nothing is decided any more. */
async function handOverTo(
  ground: Ground,
  { cluster, target, how, held }: Stopped,
): Promise<SwitchoverOutcome> {
  if (how === 'agent') held.push(await holdPaused(ground, target, 'agent'));
  let pausing: Promise<unknown> = Promise.resolve();
  let letGo: NodeJS.Timeout | undefined;
  try {
    return await switchOver(ground, {
      cluster: cluster.name,
      timeoutMs: WITHIN_MS,
      signal: ground.signal,
      once: true,
      onProgress: ({ step, state }) => {
        if (how !== 'host' || step !== 'prepare' || state !== 'finished') return;
        pausing = holdPaused(ground, target).then((one) => held.push(one));
        // Past its decision only the target can go on: it is let go in time.
        letGo = setTimeout(() => {
          for (const { release } of held) release().catch(() => undefined);
        }, PAUSED_FOR_MS);
      },
    });
  } finally {
    clearTimeout(letGo);
    await pausing;
  }
}
