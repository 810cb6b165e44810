import type { PlanRefusal } from '../failover/plan-types.ts';
import type { RebalancePlanInputs } from './plan-inputs.ts';

/** What stands against what was asked for itself, whatever the clusters look like. */
export function askRefusals(inputs: RebalancePlanInputs): readonly PlanRefusal[] {
  const { ask, clusters } = inputs;
  if (ask.kind === 'balance') return [];
  const cluster = ask.kind === 'drain' ? ask.cluster : ask.to;
  if (!clusters.has(cluster))
    return [found('cluster_not_found', `there is no cluster ${cluster}`, 'capstan cluster list')];
  return ask.kind === 'drain' ? [] : namedRefusals(inputs, ask);
}

function namedRefusals(
  { shards, clusters, moving, pinned, limits }: RebalancePlanInputs,
  { shards: asked, to }: { readonly shards: readonly number[]; readonly to: string },
): readonly PlanRefusal[] {
  const entries = new Map(shards.map((entry) => [entry.shard, entry]));
  const region = (cluster: string) => clusters.get(cluster)?.record?.value.homeRegion;
  const refusals: PlanRefusal[] = [];
  const refuse = (those: readonly number[], build: (shard: number, words: string) => PlanRefusal) => {
    const [first] = those;
    if (first !== undefined)
      refusals.push(build(first, those.length === 1 ? `shard ${first}` : `shards ${those.join(', ')}`));
  };
  refuse(
    asked.filter((shard) => !entries.has(shard)),
    (_, words) => found('shard_missing', `the map has no ${words}`, 'capstan shard list'),
  );
  refuse(
    asked.filter((shard) => entries.get(shard)?.cluster === to),
    (shard, words) =>
      found('shard_already_there', `${to} owns ${words} already`, `capstan shard show ${shard}`),
  );
  refuse(
    asked.filter((shard) => moving.has(shard)),
    (shard, words) =>
      found(
        'shard_moving',
        `${words}: moved by operation ${moving.get(shard) ?? ''} already`,
        `capstan rebalance status ${moving.get(shard) ?? ''}`,
      ),
  );
  refuse(
    asked.filter((shard) => pinned.has(shard)),
    (shard, words) =>
      found('shard_pinned', `${words}: ${pinned.get(shard) ?? ''} is pinned`, 'leave the shard or --pin out'),
  );
  refuse(
    limits.anyRegion
      ? []
      : asked.filter((shard) => {
          const owner = entries.get(shard)?.cluster;
          return owner !== undefined && region(owner) !== region(to);
        }),
    (_, words) => ({
      ...found('region_differs', `${to} is at home in ${region(to) ?? 'no region'}, and ${words} not`, ''),
      override: '--any-region',
      next: `add --any-region, or name a cluster of the same home region: capstan cluster list`,
    }),
  );
  if (asked.length > limits.shardsMax)
    refusals.push({
      ...found(
        'shards_over_limit',
        `${asked.length} shards were named, and at most ${limits.shardsMax} may move`,
        'name fewer, or raise --max-shards',
      ),
      override: '--max-shards',
    });
  return refusals;
}

const found = (code: string, message: string, next: string): PlanRefusal => ({
  code,
  message,
  override: null,
  next,
});
