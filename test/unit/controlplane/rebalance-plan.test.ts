import { describe, expect, it } from 'vitest';
import { rebalancePlan } from '../../../src/cli/schemas/rebalance.ts';
import type { ClusterView } from '../../../src/controlplane/cluster-view.ts';
import { planRebalance } from '../../../src/controlplane/rebalance/plan.ts';
import type { RebalancePlanInputs } from '../../../src/controlplane/rebalance/plan-inputs.ts';
import {
  costOf,
  type MadeUpShard,
  movesOf,
  NOW,
  planInputs,
  ROOM,
  versioned,
  wellCluster,
} from '../../support/rebalance-inputs.ts';

const shardsOf = (cluster: string, from: number, count: number, decisions = 1): MadeUpShard[] =>
  Array.from({ length: count }, (_, index) => ({ shard: from + index, cluster, cost: costOf(decisions) }));

const limits = planInputs([], []).limits;

describe('a balance', () => {
  it('goes by what shards cost, not by how many they are', () => {
    const inputs = planInputs(
      [wellCluster('c1'), wellCluster('c2')],
      [...shardsOf('c1', 0, 8, 64), ...shardsOf('c2', 10, 16, 1)],
    );
    const moves = movesOf(inputs);
    expect(moves.length).toBeGreaterThan(0);
    expect(new Set(moves.map(({ from }) => from))).toEqual(new Set(['c1']));
  });

  it('of a fair estate moves nothing and says so', () => {
    const { plan } = planRebalance(
      planInputs([wellCluster('c1'), wellCluster('c2')], [...shardsOf('c1', 0, 8), ...shardsOf('c2', 8, 8)]),
    );
    expect(plan.streams).toEqual([]);
    expect(plan.refusals).toEqual([]);
    expect(plan.reasons[0]).toContain('fair share');
  });

  it('says why a cluster is left out', () => {
    const { plan } = planRebalance(
      planInputs(
        [wellCluster('c1'), wellCluster('c2'), wellCluster('c3', 'new-york', { lease: undefined })],
        shardsOf('c1', 0, 16),
      ),
    );
    expect(plan.refusals).toEqual([]);
    expect(plan.streams.map(({ to }) => to)).not.toContain('c3');
    expect(plan.reasons.join()).toContain('c3 takes and gives nothing: c3-a of c3 does not renew');
  });
});

describe('a drain', () => {
  it('is what the published schema says', () => {
    const { plan } = planRebalance(
      planInputs([wellCluster('c1'), wellCluster('c2', 'madrid')], shardsOf('c1', 0, 12), {
        ask: { kind: 'drain', cluster: 'c1' },
        limits: { ...limits, anyRegion: true },
      }),
    );
    expect(plan.streams).toHaveLength(2);
    expect(rebalancePlan.parse(plan)).toEqual(plan);
  });

  it('empties the cluster over the others, in streams of 8 to 30', () => {
    const { plan } = planRebalance(
      planInputs([wellCluster('c1'), wellCluster('c2'), wellCluster('c3')], shardsOf('c1', 0, 300), {
        ask: { kind: 'drain', cluster: 'c1' },
      }),
    );
    const sizes = plan.streams.map(({ shards }) => shards.length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(300);
    expect(Math.max(...sizes)).toBe(30);
    expect(plan.streams.map(({ stream }) => stream)).toEqual(plan.streams.map((_, index) => index + 1));
  });

  it('without anywhere to go is refused', () => {
    const { plan } = planRebalance(
      planInputs([wellCluster('c1'), wellCluster('c2', 'madrid')], shardsOf('c1', 0, 3), {
        ask: { kind: 'drain', cluster: 'c1' },
      }),
    );
    expect(plan.refusals).toMatchObject([{ code: 'no_target', override: '--any-region' }]);
  });

  it('of more than may move at once says what stays', () => {
    const { plan, warnings } = planRebalance(
      planInputs([wellCluster('c1'), wellCluster('c2')], shardsOf('c1', 0, 30), {
        ask: { kind: 'drain', cluster: 'c1' },
        limits: { ...limits, shardsMax: 10 },
      }),
    );
    expect(plan.streams.flatMap(({ shards }) => shards)).toHaveLength(10);
    expect(warnings.join()).toContain('20 shards stay');
  });
});

describe('what is refused is named, with the fix', () => {
  const two = [wellCluster('c1'), wellCluster('c2')];
  const shards = shardsOf('c1', 0, 4);
  const named = (over: Partial<RebalancePlanInputs> = {}, clusters: readonly ClusterView[] = two) =>
    planRebalance(planInputs(clusters, shards, { ask: { kind: 'named', shards: [1, 2], to: 'c2' }, ...over }))
      .plan.refusals;
  const broken = (over: Partial<ClusterView>) =>
    named({}, [wellCluster('c1'), wellCluster('c2', 'new-york', over)]);
  const postgres = (over: Partial<typeof ROOM>) =>
    named({
      measured: new Map([
        [
          'c1',
          {
            kind: 'measured',
            costs: new Map(shards.map(({ shard, cost: own }) => [shard, own])),
            room: ROOM,
            diskFreeBytes: null,
          },
        ],
        ['c2', { kind: 'measured', costs: new Map(), room: { ...ROOM, ...over }, diskFreeBytes: '1000' }],
      ]),
    });

  it('and nothing is refused when all is well', () => {
    expect(named()).toEqual([]);
  });

  it.each<[string, () => readonly { readonly code: string; readonly next: string }[]]>([
    ['cluster_not_found', () => named({ ask: { kind: 'named', shards: [1], to: 'c9' } })],
    ['shard_missing', () => named({ ask: { kind: 'named', shards: [99], to: 'c2' } })],
    ['shard_already_there', () => named({ ask: { kind: 'named', shards: [1], to: 'c1' } })],
    ['shard_moving', () => named({ moving: new Map([[1, 'rebalance-x']]) })],
    ['shard_pinned', () => named({ pinned: new Map([[1, 'MUNI-77']]) })],
    ['shards_over_limit', () => named({ limits: { ...limits, shardsMax: 1 } })],
    ['region_differs', () => named({}, [wellCluster('c1'), wellCluster('c2', 'madrid')])],
    ['cluster_not_open', () => broken({ authority: undefined })],
    ['operation_active', () => broken({ activeOperation: versioned('failover-x') })],
    ['member_changing', () => broken({ memberOperations: new Map([['c2-b', versioned('membership-x')]]) })],
    ['leader_unhealthy', () => broken({ lease: undefined })],
    ['cluster_degraded', () => broken({ inSync: undefined })],
    ['cluster_unreachable', () => named({ measured: new Map([['c2', { kind: 'unreachable', why: 'no' }]]) })],
    ['version_differs', () => postgres({ majorVersion: 16 })],
    ['schema_differs', () => postgres({ migrations: [1, 2] })],
    ['replica_identity_missing', () => postgres({ tablesWithoutIdentity: ['outbox'] })],
    ['wal_level_low', () => postgres({ walLevel: 'replica' })],
    ['slots_short', () => postgres({ slots: { max: 2, used: 2 } })],
    ['walsenders_short', () => postgres({ walsenders: { max: 2, used: 2 } })],
    ['workers_short', () => postgres({ workers: { max: 2, used: 2 } })],
    ['disk_short', () => postgres({})],
  ])('%s', (code, refusals) => {
    const found = refusals().find((refusal) => refusal.code === code);
    expect(found).toBeDefined();
    expect(found?.next).not.toBe('');
  });

  it('rpo_gate_on, where a claim isn’t proved', () => {
    const members = {
      'c2-a': { region: 'new-york', role: 'voter' as const },
      'c2-c': { region: 'madrid', role: 'observer' as const },
    };
    expect(broken({ membership: versioned({ epoch: 2, members }) })).toMatchObject([{ code: 'rpo_gate_on' }]);
  });

  it('what nobody knows is a warning, and never counts as none', () => {
    const { plan, warnings } = planRebalance(
      planInputs(two, shards, {
        ask: { kind: 'named', shards: [1], to: 'c2' },
        measured: new Map(
          two.map(({ name }) => [
            name,
            { kind: 'measured', costs: new Map(), room: ROOM, diskFreeBytes: null },
          ]),
        ),
      }),
    );
    expect(plan.refusals).toEqual([]);
    expect(warnings.join()).toMatch(/disk is not known.*reaches the leader of c1 is not known/);
  });
});

describe('the hash', () => {
  const inputs = planInputs([wellCluster('c1'), wellCluster('c2')], shardsOf('c1', 0, 4), {
    ask: { kind: 'named', shards: [1, 2], to: 'c2' },
  });
  const hash = (over: Partial<RebalancePlanInputs> = {}) => planRebalance({ ...inputs, ...over }).plan.hash;

  it('stays while only figures and times move', () => {
    expect(hash({ nowMs: NOW + 500 })).toBe(hash());
  });

  it.each<[string, Partial<RebalancePlanInputs>]>([
    ['the map', { mapVersion: 6 }],
    ['the shards', { ask: { kind: 'named', shards: [1, 3], to: 'c2' } }],
    ['an option', { limits: { ...limits, pauseBudgetMs: 500 } }],
    [
      'a term',
      {
        clusters: new Map([
          ['c1', wellCluster('c1')],
          ['c2', wellCluster('c2', 'new-york', { membership: versioned({ epoch: 9, members: {} }) })],
        ]),
      },
    ],
  ])('changes with %s', (_what, over) => {
    expect(hash(over)).not.toBe(hash());
  });
});
