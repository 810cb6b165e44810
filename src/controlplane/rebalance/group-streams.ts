import { STREAM_SHARDS_MAX } from '../../domain/move-records.ts';
import type { Placement } from './placement.ts';
import type { PlannedStream } from './plan-types.ts';
import { NO_COST, type ShardCosts } from './shard-cost.ts';

/** Fewer in a stream are more slots than they are worth. */
const STREAM_SHARDS_MIN = 8;
/** What goes from one cluster to another is cut over in about so many turns. */
const STREAMS_A_PAIR = 4;

/** Groups placements into streams: by the clusters they go between, then in shard order. Pure and deterministic. */
export function groupStreams(placements: readonly Placement[], costs: ShardCosts): readonly PlannedStream[] {
  const pairs = Map.groupBy(placements, ({ from, to }) => `${from} ${to}`);
  const groups = [...pairs]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, pair]) => {
      const sorted = pair.toSorted((a, b) => a.shard - b.shard);
      const size = streamSize(sorted.length);
      return Array.from({ length: Math.ceil(sorted.length / size) }, (_, index) =>
        sorted.slice(index * size, (index + 1) * size),
      );
    });
  return groups.map((group, index) => {
    const [first] = group;
    const sum = (name: 'rows' | 'bytes' | 'decisionsPerSecond') =>
      group.reduce((total, { shard }) => total + (costs.get(shard) ?? NO_COST)[name], 0);
    return {
      stream: index + 1,
      from: first?.from ?? '',
      to: first?.to ?? '',
      shards: group.map(({ shard }) => shard),
      rows: String(sum('rows')),
      bytes: String(sum('bytes')),
      decisionsPerSecond: sum('decisionsPerSecond'),
    };
  });
}

const streamSize = (shards: number): number =>
  Math.min(STREAM_SHARDS_MAX, Math.max(STREAM_SHARDS_MIN, Math.ceil(shards / STREAMS_A_PAIR)));
