/** The planner alone, on an estate of 100,000 shards and 1,000 clusters that is made up in memory. Needs no sandbox. */
import { planRebalance } from '../src/controlplane/rebalance/plan.ts';
import type { RebalanceAsk } from '../src/controlplane/rebalance/plan-inputs.ts';
import { planInputs, wellCluster } from '../test/support/rebalance-inputs.ts';

const SHARDS = 100_000;
const CLUSTERS = 1_000;

const name = (index: number) => `c${String(index).padStart(4, '0')}`;
const clusters = Array.from({ length: CLUSTERS }, (_, index) =>
  wellCluster(name(index), index % 2 === 0 ? 'new-york' : 'madrid'),
);
// Two thirds of everything on a tenth of the clusters, so that there is something to do.
const shards = Array.from({ length: SHARDS }, (_, shard) => ({
  shard,
  cluster: name(shard % 3 === 0 ? shard % CLUSTERS : shard % (CLUSTERS / 10)),
  cost: { rows: 1_000 + (shard % 97), bytes: 100_000, decisionsPerSecond: 2 ** (shard % 7) },
}));
const inputs = planInputs(clusters, shards);
const limits = { ...inputs.limits, shardsMax: SHARDS };

for (const ask of [{ kind: 'balance' }, { kind: 'drain', cluster: name(0) }] satisfies RebalanceAsk[]) {
  const began = performance.now();
  const { plan } = planRebalance({ ...inputs, ask, limits });
  const seconds = (performance.now() - began) / 1_000;
  const moved = plan.streams.reduce((sum, stream) => sum + stream.shards.length, 0);
  console.log(
    `${ask.kind}: ${moved} of ${SHARDS} shards in ${plan.streams.length} streams over ${CLUSTERS} clusters, planned in ${seconds.toFixed(2)} s`,
  );
}
