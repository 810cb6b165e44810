import type pg from 'pg';

/** What one Postgres holds of one shard; null where it has no such row. */
export interface ShardFacts {
  readonly owner: {
    readonly cluster: string;
    readonly generation: number;
    readonly state: 'serving' | 'sealed' | 'moved';
  } | null;
  readonly head: {
    readonly position: string;
    readonly generation: number;
    readonly term: number;
    readonly decidedAt: string | null;
  } | null;
  readonly lineage: readonly {
    readonly generation: number;
    readonly term: number;
    readonly firstPosition: string;
    readonly cluster: string;
    readonly reason: string;
    readonly beganAt: string;
  }[];
}

const STATEMENT = `
select (select json_build_object('cluster', cluster, 'generation', generation, 'state', state)
          from capstan.shard_authority where shard_id = $1) as owner,
       (select json_build_object('position', position::text, 'generation', generation, 'term', term,
                                 'decidedAt', to_char(decided_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
          from capstan.shard_head where shard_id = $1) as head,
       (select coalesce(json_agg(json_build_object('generation', generation, 'term', term,
                                                   'firstPosition', first_position::text, 'cluster', cluster,
                                                   'reason', reason,
                                                   'beganAt', to_char(began_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
                                 order by generation, term), '[]')
          from capstan.lineage where shard_id = $1) as lineage`;

/** Reads one shard's rows in one snapshot. The role needs SELECT on the tables (reader, operator). */
export async function readShardFacts(client: pg.Client, shard: number): Promise<ShardFacts> {
  const { rows } = await client.query<ShardFacts>(STATEMENT, [shard]);
  const [row] = rows;
  if (row === undefined) throw new Error('a query of scalars answered without a row');
  return row;
}
