import { timestampOf } from '../../clock/clock.ts';
import { Transaction } from '../../controlplane/store.ts';
import { messageOf, refusedError, unreachableError } from '../../domain/errors.ts';
import type { PromotionReport } from '../../domain/agent-reports.ts';
import type { DecidedPrefix } from '../../domain/records.ts';
import { parseLsn } from '../../domain/lsn.ts';
import { BARRIER_NAMES } from '../follower-name.ts';
import type { Session } from '../local-session.ts';
import { readPositions } from '../replication-facts.ts';
import { readStandbyPosition } from '../standby-position.ts';
import { parseTimelineHistory, timelineOfWalFile, type TimelineSwitch } from '../timeline-history.ts';
import type { Work } from '../work.ts';
import { adopt, handoversOf } from './adopt.ts';
import { confirmAuthority } from './confirm-authority.ts';
import { startPrimary } from './configure.ts';

/** Callers wait while this is waited for. */
const STEP_MS = 5;

/**
 * Promotes this member, which the authority has chosen with an exact prefix, adopts the term and reports. Nobody holds a lease
 * meanwhile, and the barrier is in force: nothing can be confirmed. Killed at any point, it is entered again.
 */
export async function promote(work: Work): Promise<void> {
  const { context, postgres, view, authority, signal } = work;
  const { memory, contract, clock } = context;
  const { term, prefix } = authority.value;
  if (prefix === null) throw new Error('a promotion without a decided prefix');
  const reported = view.promotion?.value.term === term;
  if ((await postgres.pid()) === undefined) {
    if (reported && (await postgres.data()) === 'primary') {
      await startPrimary(work);
    } else {
      // Killed while it promoted: recovery may have ended on either timeline. As a standby it replays what is there, then
      // the promotion is done once more; the first switch is in its history either way.
      await postgres.markStandby();
      await postgres.writeUpstream(null);
      await postgres.writeSyncNames(BARRIER_NAMES);
      await postgres.start(signal);
    }
  }
  const { admin } = postgres;
  if ((await postgres.running())?.recovering === true) {
    await demandPrefix(admin, prefix);
    await Promise.all([postgres.writeUpstream(null), postgres.writeSyncNames(BARRIER_NAMES)]);
    await postgres.reload();
    await confirmAuthority(work);
    await memory.update({ promotingTerm: term, ledTerm: term, opened: 'primary', handedOver: null });
    if (signal.aborted) return;
    await admin.query('select pg_promote(false)');
    const deadline = clock.monotonicMs() + contract.deadlines.promoteMs;
    while ((await postgres.running())?.recovering !== false) {
      if (signal.aborted || clock.monotonicMs() > deadline) {
        throw unreachableError('the promotion did not end in time', { code: 'promotion_timeout' });
      }
      await clock.sleep(STEP_MS, signal);
    }
  }
  // Before the term is adopted: that makes heads for shards which have none yet.
  const positions = await readPositions(admin, handoversOf(work.estate, work.context.cluster));
  await adopt(work, 'failover');
  await report(work, prefix, positions);
  void checkpoint(work);
}

/** What is here must be what was decided, or, after a promotion that was killed, continue from exactly there. */
async function demandPrefix(admin: Session, prefix: DecidedPrefix): Promise<void> {
  const own = await readStandbyPosition(admin);
  if (own.timeline === prefix.timeline && parseLsn(own.lsn) === parseLsn(prefix.lsn)) return;
  if (own.timeline > prefix.timeline) {
    const left = (await historyOf(admin, own.timeline)).find(({ parent }) => parent === prefix.timeline);
    if (left !== undefined && parseLsn(left.switchLsn) === parseLsn(prefix.lsn)) return;
  }
  throw refusedError(
    `chosen with timeline ${prefix.timeline} at ${prefix.lsn}, but this member is on timeline ${own.timeline} at ${own.lsn}`,
    { code: 'prefix_differs', next: 'read the operation; the cluster stays shut' },
  );
}

async function historyOf(admin: Session, timeline: number): Promise<TimelineSwitch[]> {
  const name = `pg_wal/${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`;
  const { content } = await admin.one<{ content: string }>('select pg_read_file($1) as content', [name]);
  return parseTimelineHistory(content);
}

async function report(
  work: Work,
  prefix: DecidedPrefix,
  positions: PromotionReport['positions'],
): Promise<void> {
  const { context, postgres, authority } = work;
  const { etcd, keys, cluster, member, logger, clock } = context;
  const { admin } = postgres;
  const { file } = await admin.one<{ file: string }>(
    'select pg_walfile_name(pg_current_wal_insert_lsn()) as file',
  );
  const timeline = timelineOfWalFile(file);
  if (timeline === undefined) throw new Error(`not the name of a WAL file: ${file}`);
  const left = (await historyOf(admin, timeline)).find(({ parent }) => parent === prefix.timeline);
  const record: PromotionReport = {
    term: authority.value.term,
    operation: authority.value.operation ?? '',
    member,
    timeline,
    switchLsn: left?.switchLsn ?? 'none',
    positions,
    promotedAt: timestampOf(clock),
  };
  const reported = await new Transaction(etcd)
    .expect(keys.authority(cluster), authority.revision)
    .put(keys.promotionReport(cluster), record)
    .commit();
  if (reported) logger.info({ term: record.term, timeline, switchLsn: record.switchLsn }, 'promoted');
}

/** Before anything rewinds against this leader its control file must show the new timeline. Nothing waits for it. */
async function checkpoint({ postgres, context }: Work): Promise<void> {
  const session = postgres.session('checkpoint', 'superuser', { timeoutMs: 600_000 });
  try {
    await session.query('set statement_timeout = 0');
    await session.query('checkpoint');
  } catch (error) {
    context.logger.warn({ reason: messageOf(error) }, 'the checkpoint after the promotion failed');
  } finally {
    await session.close();
  }
}
