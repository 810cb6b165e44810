import { execFile } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AgentContext } from './context.ts';
import { spawnEnvironment, spawnIdentity } from '../postgres/run-as.ts';
import type { Session } from './local-session.ts';
import { readReplayTimeline } from './replay-timeline.ts';
import { type OwnPosition, segmentAfter, timelineOfWalFile } from './timeline-history.ts';

export interface StandbyPosition extends OwnPosition {
  readonly receivedLsn: string | null;
}

interface PositionRow {
  readonly replayed: string | null;
  readonly received: string | null;
  readonly system_identifier: string;
  readonly segment_bytes: string;
  readonly checkpoint_timeline: number;
}

/** Where a standby's replay stands. */
export async function readStandbyPosition(session: Session): Promise<StandbyPosition> {
  const row = await session.one<PositionRow>(
    `select pg_last_wal_replay_lsn()::text as replayed, pg_last_wal_receive_lsn()::text as received,
       (select system_identifier::text from pg_control_system()) as system_identifier,
       (select setting from pg_settings where name = 'wal_segment_size') as segment_bytes,
       (select timeline_id from pg_control_checkpoint()) as checkpoint_timeline`,
  );
  const lsn = row.replayed ?? '0/0';
  const timeline = await readReplayTimeline(session, {
    replayed: lsn,
    segmentBytes: Number(row.segment_bytes),
    checkpointTimeline: row.checkpoint_timeline,
  });
  return {
    systemIdentifier: row.system_identifier,
    timeline,
    lsn,
    receivedLsn: row.received,
  };
}

/** Whether nothing is received, and the configuration that this session has read names no source. */
export async function receivesNothing(session: Session): Promise<boolean> {
  // A receiver that is still connecting shows among the processes only.
  const { still } = await session.one<{ still: boolean }>(
    `select current_setting('primary_conninfo') = '' and current_setting('restore_command') = ''
       and not exists (select 1 from pg_stat_wal_receiver)
       and not exists (select 1 from pg_stat_activity where backend_type = 'walreceiver') as still`,
  );
  return still;
}

const run = promisify(execFile);
const WALDUMP_TIMEOUT_MS = 10_000;

/**
 * Whether a valid record follows in the local WAL. What was received can stay ahead of replay for ever behind a torn record,
 * so the log itself is asked, and not the two positions.
 */
export async function hasRecordAfter(
  context: Pick<AgentContext, 'binaries' | 'files' | 'account'>,
  { lsn, timeline }: Pick<OwnPosition, 'lsn' | 'timeline'>,
): Promise<boolean> {
  const { binaries, files, account } = context;
  const wal = join(files.dataDir, 'pg_wal');
  // pg_waldump waits five seconds for a segment that isn't there.
  if (!(await segmentIsThere(wal, { lsn, timeline }))) return false;
  const args = ['--path', wal, '--timeline', String(timeline), '--start', lsn];
  try {
    await run(binaries.path('pg_waldump'), [...args, '--limit', '1', '--quiet'], {
      ...spawnIdentity(account),
      env: { ...spawnEnvironment(account), LC_ALL: 'C' },
      cwd: '/',
      timeout: WALDUMP_TIMEOUT_MS,
    });
    return true;
  } catch (error) {
    const { stderr = '', code } = error as { stderr?: string; code?: unknown };
    // The last segment may end exactly here, and the next one not exist yet.
    if (
      code === 1 &&
      /could not find a valid record after|could not (find|open) file|error in WAL record/.test(stderr)
    )
      return false;
    throw error;
  }
}

async function segmentIsThere(
  wal: string,
  { lsn, timeline }: Pick<OwnPosition, 'lsn' | 'timeline'>,
): Promise<boolean> {
  const segments = (await readdir(wal)).filter((name) => timelineOfWalFile(name) !== undefined);
  // All are of one size, and the oldest may be gone by now.
  const newest = segments.toSorted().at(-1);
  if (newest === undefined) return false;
  const { size } = await stat(join(wal, newest));
  const wanted = segmentAfter(lsn, size);
  return segments.some((name) => timelineOfWalFile(name) === timeline && name.slice(8) === wanted);
}
