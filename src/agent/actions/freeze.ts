import { timestampOf } from '../../clock/clock.ts';
import { Transaction } from '../../controlplane/store.ts';
import type { FreezeReport } from '../../domain/agent-reports.ts';
import { unreachableError } from '../../domain/errors.ts';
import { readPositions } from '../replication-facts.ts';
import { handoversOf } from './adopt.ts';
import { readStandbyPosition, receivesNothing, type StandbyPosition } from '../standby-position.ts';
import type { Work } from '../work.ts';

const HANDSHAKE_TIMEOUT_MS = 2_000;
/** Callers wait while this is waited for. */
const STEP_MS = 5;

/**
 * Stops receiving, durably, replays everything that is here, and reports it under the fencing term. From the report on
 * nothing that this follower holds can change until a leader is open, over restarts too.
 */
export async function freeze(
  work: Work,
  { term, operation }: { readonly term: number; readonly operation: string },
): Promise<void> {
  const { postgres } = work;
  const { contract, clock } = work.context;
  await postgres.writeUpstream(null);
  await postgres.reload();
  const deadline = clock.monotonicMs() + contract.deadlines.freezeMs;
  await reportFrozen(work, { term, operation }, await lastState(work, deadline));
}

/** Tells etcd what this follower holds, as long as the authority is the one that asked. */
export async function reportFrozen(
  { context, authority, signal }: Work,
  { term, operation }: { readonly term: number; readonly operation: string },
  { position, positions }: LastState,
): Promise<void> {
  const { etcd, keys, cluster, member, memory, logger, clock } = context;
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
    frozenAt: timestampOf(clock),
  };
  const reported = await new Transaction(etcd)
    .expect(keys.authority(cluster), authority.revision)
    .put(keys.frozenReport(cluster, member), report)
    .commit();
  if (reported) logger.info({ term, operation, lsn: position.lsn }, 'frozen');
}

interface LastState {
  readonly position: StandbyPosition;
  readonly positions: Readonly<Record<string, string>>;
}

/** What this follower holds, looked at twice: nothing came between the first look and the last. */
async function lastState(work: Work, deadline: number): Promise<LastState> {
  const { admin } = work.postgres;
  for (;;) {
    while (!(await receivesNothing(admin))) await step(work, deadline, 'the WAL receiver to end');
    await startupHasReloaded(work, deadline);
    if (!(await receivesNothing(admin))) continue;
    const position = await replayedAll(work, deadline);
    const positions = await readPositions(admin, handoversOf(work.estate, work.context.cluster));
    const last = await readStandbyPosition(admin);
    const unchanged = last.lsn === position.lsn && last.receivedLsn === position.receivedLsn;
    if (unchanged && (await receivesNothing(admin))) return { position, positions };
    await step(work, deadline, 'replay to stand still');
  }
}

/**
 * The admin session has read the new configuration; the startup process, which starts receivers, may not have. It says
 * `paused` only after it has handled its signals. Paused means not replaying, so it goes on at once, whatever happens.
 */
async function startupHasReloaded(work: Work, deadline: number): Promise<void> {
  const { postgres } = work;
  // A connection of its own: the postmaster takes it in only after it has passed the reload on to all its processes.
  const session = postgres.session('freeze', 'superuser', { timeoutMs: HANDSHAKE_TIMEOUT_MS });
  try {
    await session.query('select pg_wal_replay_pause()');
    const state = 'select pg_get_wal_replay_pause_state() as state';
    while ((await session.one<{ state: string }>(state)).state !== 'paused')
      await step(work, deadline, 'the startup process to read its configuration');
  } finally {
    try {
      await postgres.admin.query('select pg_wal_replay_resume()');
    } finally {
      await session.close();
    }
  }
}

/** Replay is complete when no valid record follows it in the local WAL, and it didn't move while that was looked at. */
async function replayedAll(work: Work, deadline: number): Promise<StandbyPosition> {
  const { postgres } = work;
  for (;;) {
    const before = await readStandbyPosition(postgres.admin);
    const more = await postgres.hasRecordAfter(before);
    const after = await readStandbyPosition(postgres.admin);
    if (!more && after.lsn === before.lsn && after.timeline === before.timeline) return after;
    await step(work, deadline, 'replay to reach the end of what was received');
  }
}

async function step({ signal, context: { clock } }: Work, deadline: number, what: string): Promise<void> {
  if (signal.aborted || clock.monotonicMs() > deadline) {
    throw unreachableError(`waited in vain for ${what}`, { code: 'freeze_timeout' });
  }
  await clock.sleep(STEP_MS, signal);
}
