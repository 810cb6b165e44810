import { MOVE_OBJECTS, type MoveRecord, streamPrefix } from '../../domain/move-records.ts';
import type { ShardId } from '../../domain/shard.ts';
import type { EstateView } from '../estate-snapshot.ts';

type Moves = Pick<EstateView, 'moves'>;

/** The streams that may have something in this cluster's Postgres. */
const liveStreams = ({ moves }: Moves, cluster: string): readonly MoveRecord[] =>
  [...moves.values()]
    .map(({ value }) => value)
    .filter(({ from, to, phase }) => phase !== 'done' && (from === cluster || to === cluster));

const named = ({ operation, stream }: MoveRecord): string => `stream ${stream} of ${operation}`;

/** Why a subscription, slot or publication is no orphan; undefined: it bears the name of a move that is over. Pure. */
export function whyObjectStays(name: string, estate: Moves, cluster: string): string | undefined {
  if (!name.startsWith(MOVE_OBJECTS)) return 'it does not bear the name of a move';
  const stream = liveStreams(estate, cluster).find((record) => name.startsWith(streamPrefix(record)));
  return stream === undefined ? undefined : `${named(stream)} is live, and sees to its own`;
}

/** Why a shard's rows are no orphans; undefined: the map gives it to another cluster, and no live stream needs them. Pure. */
export function whyRowsStay(
  shard: ShardId,
  estate: Pick<EstateView, 'moves' | 'shards'>,
  cluster: string,
): string | undefined {
  if (estate.shards.get(shard)?.value.cluster === cluster) return `the map gives it to ${cluster}`;
  const stream = liveStreams(estate, cluster).find(({ shards }) => shards.includes(shard));
  return stream === undefined ? undefined : `${named(stream)} is live, and carries it`;
}
