import type { SqlClient } from '../sql-client.ts';

/** What logical replication of shards demands of a leader's Postgres, and how much of it is free. */
export interface ReplicationRoom {
  readonly inRecovery: boolean;
  readonly majorVersion: number;
  readonly migrations: readonly number[];
  readonly walLevel: string;
  /** Tables whose old rows in the WAL would lack `shard_id`. */
  readonly tablesWithoutIdentity: readonly string[];
  readonly slots: { readonly max: number; readonly used: number };
  readonly walsenders: { readonly max: number; readonly used: number };
  readonly workers: { readonly max: number; readonly used: number };
}

const STATEMENT = `
select pg_is_in_recovery() as "inRecovery",
       current_setting('server_version_num')::integer / 10000 as "majorVersion",
       (select coalesce(json_agg(version order by version), '[]') from capstan.schema_migration) as migrations,
       current_setting('wal_level') as "walLevel",
       (select coalesce(json_agg(c.relname order by c.relname), '[]')
          from pg_class c
          where c.relnamespace = 'capstan'::regnamespace
            and c.relname in ('shard_head', 'issuer_exposure', 'reservation', 'reservation_token', 'outbox', 'lineage')
            and c.relreplident <> 'f'
            and not exists (
              select 1 from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
                where i.indrelid = c.oid and a.attname = 'shard_id'
                  and case c.relreplident when 'd' then i.indisprimary when 'i' then i.indisreplident else false end)
       ) as "tablesWithoutIdentity",
       json_build_object('max', current_setting('max_replication_slots')::integer,
                         'used', (select count(*) from pg_replication_slots)) as slots,
       json_build_object('max', current_setting('max_wal_senders')::integer,
                         'used', (select count(*) from pg_stat_replication)) as walsenders,
       json_build_object('max', current_setting('max_logical_replication_workers')::integer,
                         'used', (select count(*) from pg_stat_subscription where pid is not null)) as workers`;

/** The role needs SELECT on the tables (operator, reader). */
export async function readReplicationRoom(client: SqlClient): Promise<ReplicationRoom> {
  const { rows } = await client.query<ReplicationRoom>(STATEMENT);
  const [row] = rows;
  if (row === undefined) throw new Error('a query of scalars answered without a row');
  return row;
}
