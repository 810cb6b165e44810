import { Transaction } from '../../controlplane/store.ts';
import type { FreezeReport } from '../../domain/records.ts';
import { unreachableError } from '../../domain/errors.ts';
import { pause } from '../pause.ts';
import { readPositions } from '../replication-facts.ts';
import { hasRecordAfter, readStandbyPosition, type StandbyPosition } from '../standby-position.ts';
import type { Work } from '../work.ts';

/**
 * Stops receiving, durably, replays everything that is here, and reports it under the fencing term. From the report on
 * nothing that this follower holds can change until a leader is open, over restarts too.
 */
export async function freeze(
  work: Work,
  { term, operation }: { readonly term: number; readonly operation: string },
): Promise<void> {
  const { context, postgres, authority, signal } = work;
  const { etcd, keys, cluster, member, memory, contract, logger } = context;
  await postgres.writeUpstream(null);
  await postgres.reload();
  const deadline = performance.now() + contract.deadlines.freezeMs;
  while (!(await receivesNothing(work))) await step(work, deadline, 'the WAL receiver to end');
  const position = await replayedAll(work, deadline);
  const positions = await readPositions(postgres.admin);
  if (signal.aborted || memory.value.incarnation === null) return;
  const report: FreezeReport = {
    term,
    operation,
    member,
    incarnation: memory.value.incarnation,
    timeline: position.timeline,
    receivedLsn: position.receivedLsn ?? position.lsn,
    replayedLsn: position.lsn,
    positions,
    frozenAt: new Date().toISOString(),
  };
  const reported = await new Transaction(etcd)
    .expect(keys.authority(cluster), authority.revision)
    .put(keys.frozenReport(cluster, member), report)
    .commit();
  if (reported) logger.info({ term, operation, lsn: position.lsn }, 'frozen');
}

async function receivesNothing({ postgres }: Work): Promise<boolean> {
  const { still } = await postgres.admin.one<{ still: boolean }>(
    `select current_setting('primary_conninfo') = '' and current_setting('restore_command') = ''
       and not exists (select 1 from pg_stat_wal_receiver) as still`,
  );
  return still;
}

/** Replay is complete when no valid record follows it in the local WAL, and it didn't move while that was looked at. */
async function replayedAll(work: Work, deadline: number): Promise<StandbyPosition> {
  const { context, postgres } = work;
  for (;;) {
    const before = await readStandbyPosition(postgres.admin);
    const more = await hasRecordAfter(context, before);
    const after = await readStandbyPosition(postgres.admin);
    if (!more && after.lsn === before.lsn && after.timeline === before.timeline) return after;
    await step(work, deadline, 'replay to reach the end of what was received');
  }
}

async function step({ signal }: Work, deadline: number, what: string): Promise<void> {
  if (signal.aborted || performance.now() > deadline) {
    throw unreachableError(`waited in vain for ${what}`, { code: 'freeze_timeout' });
  }
  await pause(20, signal);
}
