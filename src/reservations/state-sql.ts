import type { SqlClient } from '../postgres/sql-client.ts';
import type { ShardId } from '../domain/shard.ts';

/** Shard -> head position as text, for every shard that has a head row. Works on followers too. */
export async function readHeads(client: SqlClient): Promise<Readonly<Record<string, string>>> {
  const { rows } = await client.query<{ shard_id: ShardId; position: string }>(
    'select shard_id, position from capstan.shard_head order by shard_id',
  );
  return Object.fromEntries(rows.map(({ shard_id, position }) => [String(shard_id), position]));
}

export interface ClusterState {
  readonly cluster: string;
  readonly epoch: number;
  readonly term: number;
  readonly estateIncarnation: string | null;
}

/** The highest epoch and term that this Postgres has seen; undefined before the first adoption. Works on followers too. */
export async function readClusterState(client: SqlClient): Promise<ClusterState | undefined> {
  const { rows } = await client.query<ClusterState>(
    'select cluster, epoch, term, estate_incarnation as "estateIncarnation" from capstan.cluster_state',
  );
  return rows[0];
}

export interface LineageEntry {
  readonly shard: ShardId;
  readonly generation: number;
  readonly term: number;
  readonly firstPosition: string;
  readonly cluster: string;
  readonly reason: string;
  readonly beganAt: Date;
}

/** Which authority decided which positions of a shard (or of all), oldest first. Works on followers too. */
export async function readLineage(client: SqlClient, shard?: ShardId): Promise<readonly LineageEntry[]> {
  const { rows } = await client.query<LineageEntry>(
    `select shard_id as shard, generation, term, first_position as "firstPosition", cluster, reason,
        began_at as "beganAt"
      from capstan.lineage where $1::integer is null or shard_id = $1
      order by shard_id, generation, term`,
    [shard ?? null],
  );
  return rows;
}

export interface AuthorityRow {
  readonly shard: ShardId;
  readonly cluster: string;
  readonly generation: number;
  readonly state: 'serving' | 'sealed' | 'moved';
}

export async function readAuthority(client: SqlClient): Promise<readonly AuthorityRow[]> {
  const { rows } = await client.query<AuthorityRow>(
    'select shard_id as shard, cluster, generation, state from capstan.shard_authority order by shard_id',
  );
  return rows;
}

export interface LeaseRow {
  readonly cluster: string;
  readonly term: number;
  readonly epoch: number;
  readonly leader: string;
  readonly grantId: string;
  readonly admission: 'open' | 'closed';
  readonly admissionReason: string | null;
  readonly syncNames: string;
  readonly degraded: boolean;
  /** By the wall clock; negative once it has lapsed. The fence looks at more than this. */
  readonly leftMs: number;
  /** Whether it was granted to this run of the server. */
  readonly sameStart: boolean;
}

/** The lease row as it stands, valid or not; undefined when there is none. Only a leader can read it (it is unlogged). */
export async function readLease(client: SqlClient): Promise<LeaseRow | undefined> {
  const { rows } = await client.query<LeaseRow>(
    `select cluster, term, epoch, leader, grant_id as "grantId", admission, admission_reason as "admissionReason",
        sync_names as "syncNames", degraded,
        (extract(epoch from expires_at - pg_catalog.clock_timestamp()) * 1000)::float8 as "leftMs",
        postmaster_started_at = pg_catalog.pg_postmaster_start_time() as "sameStart"
      from capstan.lease`,
  );
  return rows[0];
}

/** Whether this run of the server ever held a lease whose decisions waited for followers; its row says so, valid or not. */
export async function leaseDemandsFollowers(client: SqlClient): Promise<boolean> {
  const { rows } = await client.query(
    `select 1 from capstan.lease
      where sync_names <> '' and postmaster_started_at = pg_catalog.pg_postmaster_start_time()`,
  );
  return rows.length > 0;
}
