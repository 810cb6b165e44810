import { array, assert, boolean, constantFrom, integer, nat, property, record } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planRebalance } from '../../../src/controlplane/rebalance/plan.ts';
import type { RebalancePlanInputs } from '../../../src/controlplane/rebalance/plan-inputs.ts';
import { weigh } from '../../../src/controlplane/rebalance/shard-cost.ts';
import { costOf, movesOf, planInputs, wellCluster } from '../../support/rebalance-inputs.ts';

const limits = planInputs([], []).limits;

const estates = record({
  clusters: array(
    record({
      region: constantFrom('new-york', 'madrid'),
      broken: constantFrom(false, false, false, true),
    }),
    { minLength: 1, maxLength: 6 },
  ),
  shards: array(record({ at: nat(99), decisions: nat(64), held: nat(19) }), {
    maxLength: 80,
  }),
  shardsMax: integer({ min: 1, max: 40 }),
  anyRegion: boolean(),
}).map(({ clusters, shards, shardsMax, anyRegion }) => {
  const views = clusters.map(({ region, broken }, index) =>
    wellCluster(`c${index}`, region, broken ? { lease: undefined } : {}),
  );
  const made = shards.map(({ at, decisions }, shard) => ({
    shard,
    cluster: `c${at % clusters.length}`,
    cost: costOf(decisions),
  }));
  const moving = new Map(
    shards.flatMap(({ held }, shard) => (held === 0 ? [[shard, 'rebalance-x'] as const] : [])),
  );
  const pinned = new Map(
    shards.flatMap(({ held }, shard) => (held === 1 ? [[shard, 'MUNI-77'] as const] : [])),
  );
  return planInputs(views, made, { limits: { ...limits, shardsMax, anyRegion }, moving, pinned });
});

const asks = constantFrom<RebalancePlanInputs['ask']>({ kind: 'balance' }, { kind: 'drain', cluster: 'c0' });

describe('whatever the estate', () => {
  it('no shard is lost or doubled, held ones stay, and no more move than may', () => {
    assert(
      property(estates, asks, (estate, ask) => {
        const moves = movesOf({ ...estate, ask });
        const owners = new Map(estate.shards.map(({ shard, cluster }) => [shard, cluster]));
        expect(new Set(moves.map(({ shard }) => shard)).size).toBe(moves.length);
        expect(moves.length).toBeLessThanOrEqual(estate.limits.shardsMax);
        for (const { shard, from, to } of moves) {
          expect(from).toBe(owners.get(shard));
          expect(to).not.toBe(from);
          expect(estate.moving.has(shard) || estate.pinned.has(shard)).toBe(false);
        }
      }),
    );
  });

  it('none goes to a cluster that isn’t ready, or to another region unless that is allowed', () => {
    assert(
      property(estates, asks, (estate, ask) => {
        const region = (name: string) => estate.clusters.get(name)?.record?.value.homeRegion;
        for (const { from, to } of movesOf({ ...estate, ask })) {
          expect(estate.clusters.get(to)?.lease).toBeDefined();
          expect(estate.limits.anyRegion || region(to) === region(from)).toBe(true);
        }
      }),
    );
  });

  it('a balance makes the fullest no fuller, and nobody that takes gets above its share and the tolerance', () => {
    assert(
      property(estates, (estate) => {
        const moves = movesOf(estate);
        const { before, after } = loads(estate, moves);
        for (const { from, to } of moves) {
          expect(after(from)).toBeLessThan(before(from));
          const group = [...estate.clusters.values()].filter(
            (view) =>
              view.lease !== undefined &&
              (estate.limits.anyRegion ||
                view.record?.value.homeRegion === estate.clusters.get(to)?.record?.value.homeRegion),
          );
          const fair = group.reduce((sum, { name }) => sum + before(name), 0) / group.length;
          expect(after(to)).toBeLessThanOrEqual(fair * 1.1 + 1e-9);
        }
      }),
    );
  });

  it('the same inputs make the same plan, in whatever order they come', () => {
    assert(
      property(estates, asks, (estate, ask) => {
        const plan = planRebalance({ ...estate, ask });
        const shuffled = {
          ...estate,
          ask,
          clusters: new Map([...estate.clusters].toReversed()),
          measured: new Map([...estate.measured].toReversed()),
        };
        expect(planRebalance(shuffled).plan.streams).toEqual(plan.plan.streams);
        expect(planRebalance(shuffled).plan.hash).toBe(plan.plan.hash);
      }),
    );
  });
});

function loads(estate: RebalancePlanInputs, moves: readonly { shard: number; from: string; to: string }[]) {
  const costs = new Map(
    [...estate.measured.values()].flatMap((side) => (side.kind === 'measured' ? [...side.costs] : [])),
  );
  const weights = weigh(costs);
  const target = new Map(moves.map(({ shard, to }) => [shard, to]));
  const load = (name: string, owner: (shard: number, cluster: string) => string) =>
    estate.shards.reduce(
      (sum, { shard, cluster }) => sum + (owner(shard, cluster) === name ? (weights.get(shard) ?? 0) : 0),
      0,
    );
  return {
    before: (name: string) => load(name, (_, cluster) => cluster),
    after: (name: string) => load(name, (shard, cluster) => target.get(shard) ?? cluster),
  };
}
