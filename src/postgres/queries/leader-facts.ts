import type pg from 'pg';

/** The lease row as the fence sees it; `leftMs` is negative once it has lapsed. */
export interface LeaseFacts {
  readonly cluster: string;
  readonly term: number;
  readonly epoch: number;
  readonly leader: string;
  /** Until decisions stop: the least by the server's wall clock, its boot clock and the RPO bound. */
  readonly leftMs: number;
  /** False: a clock of the server stands before the grant, so that the fence refuses it. */
  readonly begun: boolean;
  /** False: another start of Postgres granted it, so that the fence refuses it. */
  readonly sameStart: boolean;
  readonly admission: 'open' | 'closed';
  readonly admissionReason: string | null;
  readonly syncNames: string;
  readonly degraded: boolean;
}

export interface LeaderFacts {
  readonly lease: LeaseFacts | null;
  readonly shards: readonly {
    readonly shard: number;
    readonly generation: number;
    readonly state: 'serving' | 'sealed' | 'moved';
    readonly headGeneration: number | null;
    readonly headTerm: number | null;
  }[];
}

const STATEMENT = `
select (select json_build_object(
                 'cluster', cluster, 'term', term, 'epoch', epoch, 'leader', leader,
                 'leftMs', f.left_ms, 'begun', f.begun,
                 'sameStart', postmaster_started_at = pg_postmaster_start_time(),
                 'admission', admission, 'admissionReason', admission_reason,
                 'syncNames', sync_names, 'degraded', degraded)
          from capstan.lease l cross join lateral capstan.lease_left(l) f) as lease,
       (select coalesce(json_agg(json_build_object(
                 'shard', a.shard_id, 'generation', a.generation, 'state', a.state,
                 'headGeneration', h.generation, 'headTerm', h.term) order by a.shard_id), '[]')
          from capstan.shard_authority a left join capstan.shard_head h using (shard_id)) as shards`;

/** The leader's lease and its shards, in one snapshot. Fails on a follower: the lease is not replicated. */
export async function readLeaderFacts(client: pg.Client): Promise<LeaderFacts> {
  const { rows } = await client.query<LeaderFacts>(STATEMENT);
  const [row] = rows;
  if (row === undefined) throw new Error('a query of scalars answered without a row');
  return row;
}
