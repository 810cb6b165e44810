/** The rows of moved shards, so that two clusters can be compared, and what a move leaves behind. */
import { MOVING_TABLES } from '../../src/reservations/moves-sql.ts';
import type { TwoClusters } from './two-clusters.ts';

/** Table -> its rows of these shards, in order, as text. */
export async function movedRows(
  world: TwoClusters,
  member: string,
  shards: readonly number[],
): Promise<Readonly<Record<string, readonly string[]>>> {
  const selects = MOVING_TABLES.map(
    (table) => `select '${table}' as name, t::text as row from capstan.${table} t where shard_id = any ($1)`,
  );
  const rows = await world.ask<{ name: string; row: string }>(
    member,
    `${selects.join(' union all ')} order by 1, 2`,
    [[...shards]],
  );
  return Object.fromEntries(
    MOVING_TABLES.map((table) => [table, rows.flatMap(({ name, row }) => (name === table ? [row] : []))]),
  );
}

export async function rowCount(
  world: TwoClusters,
  member: string,
  shards: readonly number[],
): Promise<number> {
  const rows = await movedRows(world, member, shards);
  return Object.values(rows).reduce((sum, some) => sum + some.length, 0);
}

/** Slots, publications and subscriptions of moves, replication origins included. */
export async function leftOvers(world: TwoClusters, member: string): Promise<readonly string[]> {
  const rows = await world.ask<{ name: string }>(
    member,
    `select 'slot ' || slot_name as name from pg_replication_slots where slot_type = 'logical'
     union all select 'publication ' || pubname from pg_publication
     union all select 'subscription ' || subname from pg_subscription
     union all select 'origin ' || roname from pg_replication_origin`,
  );
  return rows.map(({ name }) => name);
}
