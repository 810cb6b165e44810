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

/**
 * Head positions of every shard that is owned here. On a standby: what has been replayed. Heads of shards that are only on
 * their way here, or were left behind, move by another cluster's decisions and are no part of this one's log.
 */
export async function readPositions(session: Session): Promise<Record<string, string>> {
  const [there] = await session.query<{ there: boolean }>(
    `select to_regclass('capstan.shard_head') is not null as there`,
  );
  if (there?.there !== true) return {};
  const rows = await session.query<{ shard: number; position: string }>(
    `select shard_id as shard, position::text from capstan.shard_head join capstan.shard_authority using (shard_id)
      where state <> 'moved' order by shard_id`,
  );
  return Object.fromEntries(rows.map(({ shard, position }) => [String(shard), position]));
}
