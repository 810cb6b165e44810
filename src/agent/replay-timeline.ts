import type { Session } from './local-session.ts';
import { segmentBefore, timelineOfWalFile } from './timeline-history.ts';

/** What a member's Postgres tells of its timeline without looking at files. */
export interface TimelineRow {
  /** The segment that is being written; null on a standby. */
  readonly wal_file: string | null;
  /** As the receiver tells it; null while there is none. */
  readonly received_timeline: number | null;
  /** As pg_control tells it: as of the last restart point, which may be minutes ago. The least that it can be. */
  readonly checkpoint_timeline: number;
  readonly segment_bytes: string;
}

/** The columns of a TimelineRow. */
export const TIMELINE_COLUMNS = `
    case when pg_is_in_recovery() then null else pg_walfile_name(pg_current_wal_insert_lsn()) end as wal_file,
    (select received_tli from pg_stat_wal_receiver) as received_timeline,
    (select timeline_id from pg_control_checkpoint()) as checkpoint_timeline,
    pg_size_bytes(current_setting('wal_segment_size'))::text as segment_bytes`;

/** The timeline that a member writes, receives or, while it receives nothing, has replayed. */
export async function readTimeline(
  session: Session,
  row: TimelineRow,
  replayed: string | null,
): Promise<number> {
  const { wal_file: file, received_timeline: received, checkpoint_timeline: checkpointTimeline } = row;
  const current = file === null ? received : timelineOfWalFile(file);
  if (current !== null && current !== undefined) return Math.max(current, checkpointTimeline);
  const segmentBytes = Number(row.segment_bytes);
  return readReplayTimeline(session, { replayed: replayed ?? '0/0', segmentBytes, checkpointTimeline });
}

/** The timeline on which a standby's replay stands: that of the newest WAL segment file that holds the last replayed byte. */
export async function readReplayTimeline(
  session: Session,
  about: {
    readonly replayed: string;
    readonly segmentBytes: number;
    readonly checkpointTimeline: number;
  },
): Promise<number> {
  const { replayed, segmentBytes, checkpointTimeline } = about;
  const files = await session.query<{ name: string }>(
    `select name from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$' and substr(name, 9) = $1`,
    [segmentBefore(replayed, segmentBytes) ?? ''],
  );
  return Math.max(checkpointTimeline, ...files.map(({ name }) => timelineOfWalFile(name) ?? 0));
}
