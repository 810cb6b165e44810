import type { ShardId } from '../../domain/shard.ts';
import type { ShardWeights } from '../../postgres/queries/shard-weights.ts';

/** What a shard costs the cluster that owns it. */
export interface ShardCost {
  readonly rows: number;
  readonly bytes: number;
  readonly decisionsPerSecond: number;
}

export type ShardCosts = ReadonlyMap<ShardId, ShardCost>;

export const NO_COST: ShardCost = { rows: 0, bytes: 0, decisionsPerSecond: 0 };

/** The parts of a cost by which shards are weighed: what is decided is what a leader is short of first. */
const WEIGHTS = { rows: 0.2, bytes: 0.3, decisionsPerSecond: 0.5 } as const;

/**
 * Shares what a Postgres holds out among its shards by their positions: each decision is one row of the log, one token and at
 * most one reservation. Pure; estimates, but for the rows of the log.
 */
export function shareCosts(
  { shards, bytes, reservations, exposures }: ShardWeights,
  decisionsPerSecond: ReadonlyMap<ShardId, number>,
): ShardCosts {
  const decided = shards.reduce((sum, { position }) => sum + Number(position), 0);
  const per = (total: string | null, otherwise: number) =>
    decided === 0 ? 0 : total === null ? otherwise : Number(total) / decided;
  const rowsPerDecision = 2 + Math.min(1, per(reservations, 1)) + Math.min(1, per(exposures, 0));
  return new Map(
    shards.map(({ shard, position }) => [
      shard,
      {
        rows: rounded(Number(position) * rowsPerDecision),
        bytes: rounded(Number(position) * per(bytes, 0)),
        decisionsPerSecond: steady(decisionsPerSecond.get(shard) ?? 0),
      },
    ]),
  );
}

/** Each shard's weight: its share of all rows, bytes and decisions. Without any load and rows all shards weigh the same. Pure. */
export function weigh(costs: ShardCosts): ReadonlyMap<ShardId, number> {
  const totals = { rows: 0, bytes: 0, decisionsPerSecond: 0 };
  for (const cost of costs.values()) {
    totals.rows += cost.rows;
    totals.bytes += cost.bytes;
    totals.decisionsPerSecond += cost.decisionsPerSecond;
  }
  // Also one that holds nothing is worth something: it takes a slot, and it will hold something.
  const floor = costs.size === 0 ? 0 : 0.01 / costs.size;
  const part = (cost: ShardCost, name: keyof ShardCost) =>
    totals[name] === 0 ? 0 : (WEIGHTS[name] * cost[name]) / totals[name];
  return new Map(
    [...costs].map(([shard, cost]) => [
      shard,
      floor + part(cost, 'rows') + part(cost, 'bytes') + part(cost, 'decisionsPerSecond'),
    ]),
  );
}

/** Two digits: a few decisions between a plan and its run make no other plan. */
const rounded = (value: number): number => Math.round(Number(value.toPrecision(2)));

/** A power of two: a second's sample says no more. */
const steady = (perSecond: number): number => (perSecond < 1 ? 0 : 2 ** Math.round(Math.log2(perSecond)));
