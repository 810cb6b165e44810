import type { SqlClient } from '../../postgres/sql-client.ts';
import { utc } from '../verify/rows-sql.ts';

export interface WatermarkFacts {
  readonly shard: number;
  readonly position: string;
  readonly generation: number;
  readonly term: number;
  readonly decidedAt: string | null;
  readonly state: 'live' | 'gap' | 'forked' | 'rebuilding';
  readonly stateReason: string | null;
  readonly cluster: string | null;
  readonly rebuilds: number;
  /** The later of the shard's own and its source's. */
  readonly asOf: string | null;
  readonly paused: boolean;
}

/** Up to where each shard's rows reflect its log, in the snapshot that the caller holds. Null: all shards. */
export async function readWatermarks(
  client: SqlClient,
  shards: readonly number[] | null,
): Promise<readonly WatermarkFacts[]> {
  const { rows } = await client.query<WatermarkFacts>(
    `select w.shard_id as shard, w.position, w.generation, w.term, ${utc('w.decided_at')} as "decidedAt", w.state,
        w.state_reason as "stateReason", w.cluster, w.rebuilds, ${utc('greatest(w.as_of, m.as_of)')} as "asOf",
        exists (select from projection.pause p where p.shard_id is null or p.shard_id = w.shard_id) as paused
      from projection.watermark w
      left join projection.source_mark m on m.source = w.source
      where $1::integer[] is null or w.shard_id = any ($1)
      order by w.shard_id`,
    [shards],
  );
  return rows;
}
