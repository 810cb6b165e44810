import { timestampOf } from '../../clock/clock.ts';
import { nextAuthority } from '../../controlplane/authority.ts';
import { Transaction } from '../../controlplane/store.ts';
import type { HandoverReport, HandoverRequest } from '../../domain/agent-reports.ts';
import { followerName } from '../follower-name.ts';
import { readFlushedLsn, readPositions, readWalsenders } from '../replication-facts.ts';
import { handoversOf } from './adopt.ts';
import { allFlushed } from '../sync-set.ts';
import type { Work } from '../work.ts';

const STEP_MS = 5;
/** A shutdown that takes longer than this is none that callers can wait for: Postgres is then ended in any way. */
const STOP_STEP_MS = 3_000;

/**
 * Hands this leader's cluster over: nothing is admitted, nothing waits any more, every recorded voter has flushed all, then a
 * clean shutdown and the report. What fails backs out, and this member leads on. Killed at any point, it is entered again:
 * what runs is drained once more, what is shut down under its note is reported.
 */
export async function handOver(work: Work, request: HandoverRequest): Promise<void> {
  const { context, postgres } = work;
  const noted = context.memory.value.handedOver;
  const isNoted = noted?.operation === request.operation && noted.term === request.term;
  if ((await postgres.pid()) !== undefined) {
    const reason = await drain(work, request);
    if (reason !== undefined) {
      await backOut(work, request, reason);
      return;
    }
    await postgres.stop('fast', STOP_STEP_MS);
  } else if (!isNoted) {
    await backOut(work, request, 'its Postgres had ended before it was handed over');
    return;
  }
  const { cleanlyShutDown, checkpointLsn, timeline } = await postgres.controlData();
  if (!cleanlyShutDown) {
    await backOut(work, request, 'its Postgres could not be shut down cleanly');
    return;
  }
  const positions = context.memory.value.handedOver?.positions ?? {};
  await report(work, request, {
    outcome: 'handed-over',
    end: { timeline, checkpointLsn, positions },
  });
}

/** Why it can't be handed over; undefined once all of it is on every recorded voter and the note is made. */
async function drain(work: Work, request: HandoverRequest): Promise<string | undefined> {
  const { context, postgres, keeper } = work;
  const { clock, memory, logger } = context;
  const begunMs = clock.monotonicMs();
  const lastMs = begunMs + request.budgetMs / 2;
  await keeper.surrender(`handing over to ${request.target}`);
  const closedMs = clock.monotonicMs();
  let waitingFor: string | undefined;
  while ((waitingFor = await whatIsMissing(work)) !== undefined) {
    if (work.signal.aborted) return 'the authority has changed';
    if (clock.monotonicMs() >= lastMs) return `${waitingFor} within half of the pause budget`;
    await clock.sleep(STEP_MS, work.signal);
  }
  const positions = await readPositions(postgres.admin, handoversOf(work.estate, work.context.cluster));
  await memory.update({
    handedOver: { term: request.term, operation: request.operation, positions },
  });
  await dismissOthers(work);
  // A process may have been stopped between any two lines: what comes now can't be taken back as cheaply.
  if (work.signal.aborted || clock.monotonicMs() >= lastMs) return 'it was held up while it drained';
  logger.info(
    {
      operation: request.operation,
      closeMs: Math.round(closedMs - begunMs),
      drainMs: Math.round(clock.monotonicMs() - begunMs),
    },
    'drained',
  );
  return undefined;
}

/** A transaction that is idle holds nothing up: its commit would be refused. */
const BUSY = `select count(*)::int as busy from pg_stat_activity
  where backend_type = 'client backend' and pid <> pg_backend_pid() and state = 'active'
    and (backend_xid is not null or wait_event = 'SyncRep')`;

async function whatIsMissing({ postgres, view }: Work): Promise<string | undefined> {
  const { busy } = await postgres.admin.one<{ busy: number }>(BUSY);
  if (busy > 0) return `${busy} commits were still waiting`;
  const lsn = await readFlushedLsn(postgres.admin);
  const voters = view.inSync?.value.voters ?? [];
  return allFlushed(await readWalsenders(postgres.admin), voters, lsn)
    ? undefined
    : 'the recorded voters had not flushed all';
}

/** A shutdown waits until each follower has everything: one that is far away, or cut off, is let go before it. */
async function dismissOthers({ postgres, view }: Work): Promise<void> {
  const voters = (view.inSync?.value.voters ?? []).map(followerName);
  await postgres.admin.query(
    'select pg_terminate_backend(pid) from pg_stat_replication where not (application_name = any ($1))',
    [voters],
  );
}

/** Only an authority that still drains can be handed back; whoever changed it meanwhile was first. */
async function backOut(work: Work, request: HandoverRequest, reason: string): Promise<void> {
  const { context, authority } = work;
  const { etcd, keys, cluster, memory, logger, clock } = context;
  await memory.update({ handedOver: null });
  const at = timestampOf(clock);
  const written = await new Transaction(etcd)
    .expect(keys.authority(cluster), authority.revision)
    .put(keys.authority(cluster), nextAuthority(authority.value, { kind: 'back-out' }, at))
    .put(keys.handoverReport(cluster), reportOf(work, request, { outcome: 'kept', reason }))
    .commit();
  if (written) logger.warn({ operation: request.operation, reason }, 'not handed over: it leads on');
}

async function report(
  work: Work,
  request: HandoverRequest,
  result: Extract<Outcome, { outcome: 'handed-over' }>,
): Promise<void> {
  const { context, authority } = work;
  const { etcd, keys, cluster, logger } = context;
  const written = await new Transaction(etcd)
    .expect(keys.authority(cluster), authority.revision)
    .put(keys.handoverReport(cluster), reportOf(work, request, result))
    .commit();
  const { checkpointLsn } = result.end;
  if (written) logger.info({ operation: request.operation, checkpointLsn }, 'handed over');
}

type Outcome = HandoverReport extends infer R
  ? R extends HandoverReport
    ? Omit<R, 'operation' | 'term' | 'member' | 'incarnation' | 'at'>
    : never
  : never;

function reportOf({ context }: Work, { operation, term }: HandoverRequest, outcome: Outcome): HandoverReport {
  const { member, memory, clock } = context;
  const incarnation = memory.value.incarnation ?? '';
  return { operation, term, member, incarnation, at: timestampOf(clock), ...outcome };
}
