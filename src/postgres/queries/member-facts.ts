import type pg from 'pg';

/** What any member says of itself, leader or follower. */
export interface MemberFacts {
  readonly inRecovery: boolean;
  /** Milliseconds since the epoch, by the server's wall clock. */
  readonly clockMs: number;
  readonly fsync: boolean;
  readonly fullPageWrites: boolean;
  readonly synchronousCommit: string;
  readonly synchronousStandbyNames: string;
  /** What it has adopted; null before the first bootstrap. */
  readonly state: { readonly cluster: string; readonly epoch: number; readonly term: number } | null;
}

const STATEMENT = `
select pg_is_in_recovery() as "inRecovery",
       (date_part('epoch', clock_timestamp()) * 1000)::float8 as "clockMs",
       current_setting('fsync') = 'on' as "fsync",
       current_setting('full_page_writes') = 'on' as "fullPageWrites",
       current_setting('synchronous_commit') as "synchronousCommit",
       current_setting('synchronous_standby_names') as "synchronousStandbyNames",
       (select json_build_object('cluster', cluster, 'epoch', epoch, 'term', term) from capstan.cluster_state) as state`;

/** Works on leaders and followers. The role needs SELECT on the tables (reader, operator). */
export async function readMemberFacts(client: pg.Client): Promise<MemberFacts> {
  const { rows } = await client.query<MemberFacts>(STATEMENT);
  const [row] = rows;
  if (row === undefined) throw new Error('a query of scalars answered without a row');
  return row;
}
