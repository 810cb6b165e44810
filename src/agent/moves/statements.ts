import { escapeIdentifier, escapeLiteral } from 'pg';
import { MOVING_TABLES } from '../../reservations/moves-sql.ts';

/** What is sent of a stream: its shards' rows of the tables that move, and no truncation. (Postgres docs, "Row Filters".) */
export function createPublication(name: string, shards: readonly number[]): string {
  const filter = `where (shard_id in (${shards.map((shard) => String(Math.trunc(shard))).join(', ')}))`;
  const tables = MOVING_TABLES.map((table) => `capstan.${table} ${filter}`);
  return `create publication ${escapeIdentifier(name)} for table ${tables.join(', ')} with (publish = 'insert, update, delete')`;
}

export const dropPublication = (name: string): string =>
  `drop publication if exists ${escapeIdentifier(name)}`;

/**
 * All that matters is said, for defaults differ between versions. `synchronous_commit`: what is applied counts only once the
 * followers have it. (Postgres docs, "CREATE SUBSCRIPTION".)
 */
export const createSubscription = (name: string, source: string, { copy }: { copy: boolean }): string =>
  `create subscription ${escapeIdentifier(name)} connection ${escapeLiteral(source)} publication ${escapeIdentifier(name)}
    with (enabled = true, create_slot = false, slot_name = ${escapeIdentifier(name)}, copy_data = ${String(copy)},
      synchronous_commit = 'on', disable_on_error = true, binary = false, streaming = off)`;

export const setApplying = (name: string, on: boolean): string =>
  `alter subscription ${escapeIdentifier(name)} ${on ? 'enable' : 'disable'}`;

/** Without a word to the publisher, which may be gone; dropping ends the workers first. (Postgres docs, "DROP SUBSCRIPTION".) */
export const detach = (name: string): readonly string[] => [
  setApplying(name, false),
  `alter subscription ${escapeIdentifier(name)} set (slot_name = none)`,
  `drop subscription ${escapeIdentifier(name)}`,
];

/** A slot that is in use can't be dropped; whoever uses this one has no right to it any more. */
export const END_USER_OF_SLOT = `
  select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1 and active_pid is not null`;

export const DROP_SLOT = `
  select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and not active`;

export const ADVANCE_SLOT = `
  select pg_replication_slot_advance(slot_name, $2::pg_lsn) from pg_replication_slots
    where slot_name = $1 and confirmed_flush_lsn < $2::pg_lsn`;

/** Who holds a backend up, with the age of their transactions. */
export const BLOCKERS = `
  select pid, coalesce(extract(epoch from clock_timestamp() - xact_start), 0)::float8 as seconds
    from pg_stat_activity where pid = any (pg_blocking_pids($1)) order by xact_start`;

export const HEADS = `
  select shard_id as shard, position::text, marker from capstan.shard_head where shard_id = any ($1) order by shard_id`;

/** Whether every shard's rows are gone for this attempt. */
export const WIPED = `
  select count(*)::int = cardinality($3::int[]) as wiped from capstan.arrival
    where operation = $1 and attempt = $2 and shard_id = any ($3::int[]) and wiped`;
