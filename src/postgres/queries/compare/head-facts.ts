import type { SqlClient } from '../../sql-client.ts';
import { MOVED_TABLES, rowHash } from './tables.ts';

export interface HeadFacts {
  readonly shard: number;
  readonly position: string;
  readonly generation: number;
  readonly term: number;
  /** Of the log's row at the head's position; null where there is none. */
  readonly decided: { readonly generation: number; readonly term: number } | null;
  /** Of all its lineage, whatever the position. */
  readonly lineageDigest: string;
}

const lineageHash = MOVED_TABLES.filter(({ name }) => name === 'lineage')
  .map((table) => rowHash(table, 'l.'))
  .join('');

const STATEMENT = `
select h.shard_id as shard, h.position::text as position, h.generation, h.term,
       case when o.position is not null
         then json_build_object('generation', o.generation, 'term', o.term) end as decided,
       (select coalesce(sum(${lineageHash}), 0)::text
          from capstan.lineage l where l.shard_id = h.shard_id) as "lineageDigest"
  from capstan.shard_head h
  left join capstan.outbox o on o.shard_id = h.shard_id and o.position = h.position
  where h.shard_id = any ($1::integer[])`;

/** The heads of these shards, by shard; one that has no row here is missing. */
export async function readHeads(
  client: SqlClient,
  shards: readonly number[],
): Promise<ReadonlyMap<number, HeadFacts>> {
  const { rows } = await client.query<HeadFacts>(STATEMENT, [[...shards]]);
  return new Map(rows.map((row) => [row.shard, row]));
}
