import type { Session } from './local-session.ts';
import type { Walsender } from './sync-set.ts';

export async function readFlushedLsn(session: Session): Promise<string> {
  const { lsn } = await session.one<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn');
  return lsn;
}

/** The leader's walsenders, clones under way included. */
export function readWalsenders(session: Session): Promise<Walsender[]> {
  return session.query<WalsenderRow>(WALSENDERS).then((rows) =>
    rows.map((row) => ({
      name: row.application_name,
      state: row.state ?? 'starting',
      syncState: row.sync_state ?? 'async',
      syncPriority: row.sync_priority ?? 0,
      flushedLsn: row.flush_lsn,
      replayedLsn: row.replay_lsn,
      replyMark: row.reply_mark,
    })),
  );
}

interface WalsenderRow {
  readonly application_name: string;
  readonly state: string | null;
  readonly sync_state: string | null;
  readonly sync_priority: number | null;
  readonly flush_lsn: string | null;
  readonly replay_lsn: string | null;
  readonly reply_mark: string | null;
}

const WALSENDERS = `
  select application_name, state, sync_state, sync_priority, flush_lsn::text, replay_lsn::text,
    pid || '/' || extract(epoch from reply_time) as reply_mark
  from pg_stat_replication`;

/** Where shards that the map gives to a cluster came from another one: the position at which each was handed over. */
export interface Handover {
  readonly shard: number;
  readonly handover: string;
}

/**
 * Head positions of every shard that is owned here. On a standby: what has been replayed. Heads of shards that are only on
 * their way here, or were left behind, move by another cluster's decisions and are no part of this one's log. One that was handed
 * over is owned as soon as its head is there, also where the map has not been adopted yet: what is decided on it counts from then on.
 */
export async function readPositions(
  session: Session,
  handovers: readonly Handover[],
): Promise<Record<string, string>> {
  const [there] = await session.query<{ there: boolean }>(
    `select to_regclass('capstan.shard_head') is not null as there`,
  );
  if (there?.there !== true) return {};
  const rows = await session.query<{ shard: number; position: string }>(
    `select h.shard_id as shard, h.position::text from capstan.shard_head h left join capstan.shard_authority a using (shard_id)
        left join jsonb_to_recordset($1::jsonb) as m(shard integer, handover bigint) on m.shard = h.shard_id
      where a.state <> 'moved' or h.position >= m.handover order by h.shard_id`,
    [JSON.stringify(handovers)],
  );
  return Object.fromEntries(rows.map(({ shard, position }) => [String(shard), position]));
}
