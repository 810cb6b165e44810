import { counted } from '../../domain/counted.ts';
import { canonicalHash } from '../../domain/canonical-json.ts';
import type { ShardRecord } from '../../domain/records.ts';
import type { PlanRefusal } from '../failover/plan-types.ts';
import { askRefusals } from './ask-refusals.ts';
import { clusterRefusals } from './cluster-refusals.ts';
import { groupStreams } from './group-streams.ts';
import { type PlacedShard, placeBalance, placeDrain, type Placement } from './placement.ts';
import type { PlannedRebalance, RebalancePlanInputs } from './plan-inputs.ts';
import type { PlannedStream, RebalancePlan } from './plan-types.ts';
import { diskUnknown, postgresRefusals } from './postgres-refusals.ts';
import { NO_COST, type ShardCost, weigh } from './shard-cost.ts';

/** Plans a rebalance. Pure: the same inputs give the same plan, for a dry run and for a run. */
export function planRebalance(inputs: RebalancePlanInputs): PlannedRebalance {
  const { ask, limits, clusters, measured } = inputs;
  const standings = new Map([...clusters.keys()].map((name) => [name, standingOf(inputs, name)]));
  const asked = askRefusals(inputs);
  const costs = new Map(inputs.shards.map((entry) => [entry.shard, costOf(inputs, entry)]));
  const chosen = asked.length > 0 ? { placements: [], left: [] } : choose(inputs, standings, weigh(costs));
  const streams = groupStreams(chosen.placements, costs);
  const involved = involvedIn(inputs, streams);
  const pairing = { streams, measured, concurrentCopiesMax: limits.concurrentCopiesMax };
  const refusals = unique([
    ...asked,
    ...[...involved].flatMap((name) => standings.get(name) ?? []),
    ...noTarget(inputs, chosen),
    ...postgresRefusals(pairing),
  ]);
  const plan: Omit<RebalancePlan, 'hash'> = {
    kind: ask.kind,
    mapVersion: inputs.mapVersion,
    streams,
    clusters: Object.fromEntries([...involved].map((name) => [name, restsOn(inputs, name)])),
    options: {
      concurrentCopiesMax: limits.concurrentCopiesMax,
      pauseBudgetMs: limits.pauseBudgetMs,
      verifyMaxAgeMs: limits.verifyMaxAgeMs,
    },
    reasons: [...reasonsOf(inputs, streams), ...excludedReasons(standings, involved)],
    refusals,
  };
  const warnings = [
    ...diskUnknown(pairing).map(
      (name) => `the room on ${name}'s disk is not known: no agent reports it before a copy begins`,
    ),
    ...unreachedPairs(inputs, streams),
    ...(chosen.left.length === 0
      ? []
      : [`${chosen.left.length} shards stay: over --max-shards, or no cluster has room; run it again`]),
  ];
  return { plan: { ...plan, hash: planHash(plan) }, warnings };
}

/** Over what the decision rests on, and not over measured figures: they move all the time, and the streams are what came of them. */
const planHash = ({ kind, mapVersion, clusters, options, streams }: Omit<RebalancePlan, 'hash'>): string =>
  canonicalHash({
    rebalance: kind,
    mapVersion,
    clusters,
    options,
    streams: streams.map(({ from, to, shards }) => ({ from, to, shards })),
  });

interface Chosen {
  readonly placements: readonly Placement[];
  readonly left: readonly number[];
}

function choose(
  inputs: RebalancePlanInputs,
  standings: ReadonlyMap<string, readonly PlanRefusal[]>,
  weights: ReadonlyMap<number, number>,
): Chosen {
  const { ask, limits, clusters, moving, pinned } = inputs;
  if (ask.kind === 'named') {
    const owners = new Map(inputs.shards.map(({ shard, cluster }) => [shard, cluster]));
    const shards = [...new Set(ask.shards)].toSorted((a, b) => a - b);
    return {
      placements: shards.map((shard) => ({ shard, from: owners.get(shard) ?? '', to: ask.to })),
      left: [],
    };
  }
  const placement = {
    shards: inputs.shards.map(({ shard, cluster }): PlacedShard => ({
      shard,
      cluster,
      weight: weights.get(shard) ?? 0,
      held: moving.has(shard) || pinned.has(shard),
    })),
    clusters: [...clusters].map(([name, { record }]) => ({
      name,
      region: record?.value.homeRegion ?? '',
      ready: standings.get(name)?.length === 0,
    })),
    ...limits,
  };
  if (ask.kind === 'balance') return { placements: placeBalance(placement), left: [] };
  const { moves, left } = placeDrain({ ...placement, cluster: ask.cluster });
  return { placements: moves, left };
}

/** Etcd's word on a cluster, and whether its leader can be asked at all. */
function standingOf(
  { clusters, contract, nowMs, measured }: RebalancePlanInputs,
  name: string,
): readonly PlanRefusal[] {
  const view = clusters.get(name);
  if (view === undefined) return [];
  const refusals = clusterRefusals({ view, contract, nowMs });
  const side = measured.get(name);
  if (refusals.length > 0 || side?.kind !== 'unreachable') return refusals;
  return [
    {
      code: 'cluster_unreachable',
      message: `the leader of ${name} can't be asked: ${side.why}`,
      override: null,
      next: `capstan cluster show ${name}`,
    },
  ];
}

/** The clusters that the plan moves between, and those that were named. */
function involvedIn({ ask, shards, clusters }: RebalancePlanInputs, streams: readonly PlannedStream[]) {
  const names = new Set(streams.flatMap(({ from, to }) => [from, to]));
  if (ask.kind === 'drain') names.add(ask.cluster);
  if (ask.kind === 'named') {
    names.add(ask.to);
    const asked = new Set(ask.shards);
    for (const { shard, cluster } of shards) if (asked.has(shard)) names.add(cluster);
  }
  return new Set([...names].filter((name) => clusters.has(name)).toSorted());
}

function noTarget({ ask, shards }: RebalancePlanInputs, { placements }: Chosen): readonly PlanRefusal[] {
  if (ask.kind !== 'drain' || placements.length > 0) return [];
  if (!shards.some(({ cluster }) => cluster === ask.cluster)) return [];
  return [
    {
      code: 'no_target',
      message: `no cluster can take the shards of ${ask.cluster}: none of its region is ready or has room, or all are held`,
      override: '--any-region',
      next: 'see why clusters are excluded, add one, or give --any-region',
    },
  ];
}

const restsOn = ({ clusters }: RebalancePlanInputs, name: string) => {
  const view = clusters.get(name);
  return {
    term: view?.authority?.value.term ?? 0,
    epoch: view?.membership?.value.epoch ?? 0,
    leader: view?.authority?.value.leader ?? '',
  };
};

function costOf({ measured }: RebalancePlanInputs, { shard, cluster }: ShardRecord): ShardCost {
  const side = measured.get(cluster);
  return side?.kind === 'measured' ? (side.costs.get(shard) ?? NO_COST) : NO_COST;
}

function reasonsOf(
  { ask, limits, pinned, moving }: RebalancePlanInputs,
  streams: readonly PlannedStream[],
): readonly string[] {
  const shards = streams.reduce((sum, stream) => sum + stream.shards.length, 0);
  const what = {
    balance: 'weighed by decisions a second (half), bytes and rows, as the leaders measure them',
    drain: 'the heaviest first, each to the cluster with the least',
    named: 'as named',
  }[ask.kind];
  return [
    shards === 0 && ask.kind === 'balance'
      ? 'every cluster is within its fair share and the tolerance, or nothing that may move would make it fairer'
      : `${counted(shards, 'shard')} in ${counted(streams.length, 'stream')}: ${what}`,
    ...(limits.anyRegion || ask.kind === 'named' ? [] : ['shards stay in their home region']),
    ...(pinned.size === 0 || ask.kind === 'named'
      ? []
      : [`pinned, not moved: shards ${[...pinned.keys()].join(', ')}`]),
    ...(moving.size === 0 || ask.kind === 'named' ? [] : [`${moving.size} shards are on the move already`]),
  ];
}

const excludedReasons = (
  standings: ReadonlyMap<string, readonly PlanRefusal[]>,
  involved: ReadonlySet<string>,
): readonly string[] =>
  [...standings]
    .filter(([name, [first]]) => first !== undefined && !involved.has(name))
    .map(([name, [first]]) => `${name} takes and gives nothing: ${first?.message ?? ''}`);

function unreachedPairs(
  { reached }: RebalancePlanInputs,
  streams: readonly PlannedStream[],
): readonly string[] {
  const pairs = new Map(streams.map(({ from, to }) => [`${from} ${to}`, { from, to }]));
  return [...pairs]
    .filter(([pair]) => !reached.has(pair))
    .map(
      ([, { from, to }]) =>
        `whether the leader of ${to} reaches the leader of ${from} is not known before a copy begins`,
    );
}

const unique = (refusals: readonly PlanRefusal[]): readonly PlanRefusal[] => [
  ...new Map(refusals.map((refusal) => [`${refusal.code} ${refusal.message}`, refusal])).values(),
];
