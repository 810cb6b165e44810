import type { ShardId } from '../../domain/shard.ts';

export interface PlacedShard {
  readonly shard: ShardId;
  readonly cluster: string;
  readonly weight: number;
  /** Stays where it is, whatever the load. */
  readonly held: boolean;
}

export interface PlacementCluster {
  readonly name: string;
  readonly region: string;
  /** May give and take. */
  readonly ready: boolean;
}

export interface PlacementInputs {
  readonly shards: readonly PlacedShard[];
  readonly clusters: readonly PlacementCluster[];
  readonly anyRegion: boolean;
  /** Above the fair share, as a fraction of it. */
  readonly tolerance: number;
  readonly shardsMax: number;
}

export interface Placement {
  readonly shard: ShardId;
  readonly from: string;
  readonly to: string;
}

/** One cluster while shards are placed: its load, and what it may give, the heaviest last. */
class Place {
  readonly name: string;
  readonly #shards: PlacedShard[];
  load: number;

  constructor(name: string, shards: readonly PlacedShard[]) {
    this.name = name;
    this.load = shards.reduce((sum, { weight }) => sum + weight, 0);
    this.#shards = shards.filter(({ held }) => !held).toSorted(lightestFirst);
  }

  /** Takes the heaviest one that isn't above `weightMax`; undefined: all are, or none is left. */
  take(weightMax: number): PlacedShard | undefined {
    let [low, high] = [0, this.#shards.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#shards[middle]?.weight ?? 0) <= weightMax) low = middle + 1;
      else high = middle;
    }
    const [taken] = low === 0 ? [] : this.#shards.splice(low - 1, 1);
    if (taken !== undefined) this.load -= taken.weight;
    return taken;
  }
}

/**
 * Moves the heaviest shards that fit from the fullest cluster of a region to the emptiest, while that makes both fairer: no cluster
 * gets above its fair share and the tolerance, no shard moves twice, at most `shardsMax` move. Pure and deterministic.
 */
export function placeBalance(inputs: PlacementInputs): readonly Placement[] {
  const moves: Placement[] = [];
  for (const places of regions(inputs)) {
    const fair = fairShare(places);
    const ceiling = fair * (1 + inputs.tolerance);
    const giving = new Set(places);
    while (moves.length < inputs.shardsMax) {
      const fullest = fullestOf(giving);
      const emptiest = emptiestOf(places);
      if (fullest === undefined || emptiest === undefined || fullest.load <= ceiling) break;
      // Never past the middle of both: what moves must not have to move back.
      const weightMax = Math.min((fullest.load - emptiest.load) / 2, ceiling - emptiest.load);
      const taken = fullest.take(weightMax);
      if (taken === undefined) {
        giving.delete(fullest);
        continue;
      }
      emptiest.load += taken.weight;
      moves.push({ shard: taken.shard, from: fullest.name, to: emptiest.name });
    }
  }
  return moves;
}

export interface DrainPlacement {
  readonly moves: readonly Placement[];
  /** That no cluster has room for, or that are more than may move at once. */
  readonly left: readonly ShardId[];
}

/** Every shard of a cluster to the others, the heaviest first, each to the emptiest one of its region. Pure and deterministic. */
export function placeDrain(inputs: PlacementInputs & { readonly cluster: string }): DrainPlacement {
  const { cluster, shardsMax } = inputs;
  const region = inputs.clusters.find(({ name }) => name === cluster)?.region;
  const targets = regions({
    ...inputs,
    clusters: inputs.clusters.filter(
      (one) => one.name !== cluster && (inputs.anyRegion || one.region === region),
    ),
  }).flat();
  const leaving = inputs.shards
    .filter((shard) => shard.cluster === cluster && !shard.held)
    .toSorted((a, b) => -lightestFirst(a, b));
  const total = leaving.reduce((sum, { weight }) => sum + weight, 0);
  const fair = (fairShare(targets) * targets.length + total) / Math.max(1, targets.length);
  // Shards are lumps: the last one may stand above the line by itself.
  const ceiling = fair * (1 + inputs.tolerance) + (leaving[0]?.weight ?? 0);
  const moves: Placement[] = [];
  const left: ShardId[] = [];
  for (const { shard, weight } of leaving) {
    const emptiest = emptiestOf(targets);
    if (emptiest === undefined || moves.length >= shardsMax || emptiest.load + weight > ceiling) {
      left.push(shard);
      continue;
    }
    emptiest.load += weight;
    moves.push({ shard, from: cluster, to: emptiest.name });
  }
  return { moves, left };
}

/** The ready clusters of each region, in name order; one group of all where the region doesn't matter. */
function regions({ clusters, shards, anyRegion }: PlacementInputs): readonly (readonly Place[])[] {
  const byCluster = Map.groupBy(shards, ({ cluster }) => cluster);
  const ready = clusters.filter((cluster) => cluster.ready).toSorted((a, b) => byName(a.name, b.name));
  const groups = Map.groupBy(ready, ({ region }) => (anyRegion ? '' : region));
  return [...groups]
    .toSorted(([a], [b]) => byName(a, b))
    .map(([, group]) => group.map(({ name }) => new Place(name, byCluster.get(name) ?? [])));
}

const fairShare = (places: readonly Place[]): number =>
  places.reduce((sum, { load }) => sum + load, 0) / Math.max(1, places.length);

/** The first of them in order of name. */
function fullestOf(places: Iterable<Place>): Place | undefined {
  let found: Place | undefined;
  for (const place of places) if (found === undefined || place.load > found.load) found = place;
  return found;
}

function emptiestOf(places: Iterable<Place>): Place | undefined {
  let found: Place | undefined;
  for (const place of places) if (found === undefined || place.load < found.load) found = place;
  return found;
}

const lightestFirst = (a: PlacedShard, b: PlacedShard): number => a.weight - b.weight || b.shard - a.shard;

const byName = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
