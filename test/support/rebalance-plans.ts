/** Plans of a rebalance as a planner would make them, for whoever only carries them out. */
import type { PlannedStream, RebalancePlan } from '../../src/controlplane/rebalance/plan-types.ts';
import type { ScriptedMovers } from './scripted-movers.ts';

/** A plan that moves the shards from one cluster to the other, so many a stream. */
export async function planFor(
  movers: ScriptedMovers,
  options: {
    shards?: readonly number[];
    perStream?: number;
    from?: string;
    to?: string;
    over?: Partial<RebalancePlan['options']>;
  } = {},
): Promise<RebalancePlan> {
  const estate = await movers.estate();
  const { from = 'c1', to = 'c2', perStream = 2 } = options;
  const shards = options.shards ?? [...estate.shards.keys()];
  const streams: PlannedStream[] = [];
  for (let at = 0; at < shards.length; at += perStream)
    streams.push({
      stream: streams.length,
      from,
      to,
      shards: shards.slice(at, at + perStream),
      rows: '300',
      bytes: '30000',
      decisionsPerSecond: 1,
    });
  const clusters = Object.fromEntries(
    [from, to].map((name) => {
      const view = estate.clusters.get(name);
      const { term = 0, leader = '' } = view?.authority?.value ?? {};
      return [name, { term, epoch: view?.membership?.value.epoch ?? 0, leader: leader ?? '' }];
    }),
  );
  return {
    kind: 'named',
    mapVersion: estate.map.value.version,
    streams,
    clusters,
    options: { concurrentCopiesMax: 2, pauseBudgetMs: 20_000, verifyMaxAgeMs: 600_000, ...options.over },
    reasons: [],
    refusals: [],
    hash: 'hash',
  };
}
