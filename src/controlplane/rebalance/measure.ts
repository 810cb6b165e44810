import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../domain/errors.ts';
import type { ShardId } from '../../domain/shard.ts';
import { readReplicationRoom } from '../../postgres/queries/replication-room.ts';
import { readShardWeights, type ShardWeights } from '../../postgres/queries/shard-weights.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { MeasuredCluster } from './plan-inputs.ts';
import { shareCosts } from './shard-cost.ts';
import type { LeaderSidesOptions } from './verify/leader-sides.ts';

const SAMPLE_MS = 1_000;
const AT_ONCE = 16;

export interface MeasureOptions {
  readonly views: readonly ClusterView[];
  readonly connect: LeaderSidesOptions['connect'];
  /** Of clusters whose leader's agent has reported it. */
  readonly diskFreeBytes: ReadonlyMap<string, string>;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/** Asks the clusters' leaders what their shards cost, a few at a time; decisions a second come of two looks a second apart. */
export async function measureClusters(
  options: MeasureOptions,
): Promise<ReadonlyMap<string, MeasuredCluster>> {
  const measured = new Map<string, MeasuredCluster>();
  const left = options.views.filter(({ authority }) => (authority?.value.leader ?? null) !== null);
  const work = async () => {
    for (let view = left.pop(); view !== undefined; view = left.pop())
      measured.set(view.name, await measure(options, view));
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, left.length) }, work));
  return measured;
}

async function measure(
  { connect, diskFreeBytes, clock, signal }: MeasureOptions,
  { name, authority }: ClusterView,
): Promise<MeasuredCluster> {
  try {
    const side = await connect(name, authority?.value.leader ?? '');
    try {
      const room = await readReplicationRoom(side.client);
      const before = await readShardWeights(side.client);
      const beganMs = clock.monotonicMs();
      await clock.sleep(SAMPLE_MS, signal);
      const after = await readShardWeights(side.client);
      const seconds = (clock.monotonicMs() - beganMs) / 1_000;
      return {
        kind: 'measured',
        room,
        costs: shareCosts(after, ratesBetween(before, after, seconds)),
        diskFreeBytes: diskFreeBytes.get(name) ?? null,
      };
    } finally {
      side.drop();
    }
  } catch (error) {
    return { kind: 'unreachable', why: messageOf(error) };
  }
}

function ratesBetween(
  before: ShardWeights,
  after: ShardWeights,
  seconds: number,
): ReadonlyMap<ShardId, number> {
  const earlier = new Map(before.shards.map(({ shard, position }) => [shard, BigInt(position)]));
  return new Map(
    after.shards.map(({ shard, position }) => [
      shard,
      Math.max(0, Number(BigInt(position) - (earlier.get(shard) ?? 0n))) / seconds,
    ]),
  );
}
