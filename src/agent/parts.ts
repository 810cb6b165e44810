import type { EstateWatch } from '../controlplane/estate-watch.ts';
import { renewLease } from '../controlplane/lease.ts';
import { leaseDemandsFollowers } from '../reservations/state-sql.ts';
import { AutomaticFailover } from './automatic/automatic-failover.ts';
import { Beats } from './beats.ts';
import { carryOut } from './carry-out.ts';
import { ClaimPublisher } from './claim-publisher.ts';
import type { DataMaker } from './data-maker.ts';
import type { MemberContext } from './context.ts';
import { HandoverPreparer } from './handover-preparer.ts';
import { Heartbeat } from './heartbeat.ts';
import { LagWatch } from './lag-watch.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { leaseSql } from './lease-row.ts';
import { AgentLiveness } from './liveness.ts';
import { lookAt } from './look.ts';
import type { MemberPostgres } from './member-postgres.ts';
import type { MoveGround } from './moves/ground.ts';
import { Moves } from './moves/moves.ts';
import { Reconciler } from './reconciler.ts';
import { readFlushedLsn, readWalsenders } from './replication-facts.ts';
import { SyncBook } from './sync-book.ts';
import { allFlushed } from './sync-set.ts';

const LEASE_CALL_TIMEOUT_MS = 1_000;
const CLOSE_TIMEOUT_MS = 500;
const STOP_STEP_MS = 2_000;

/** The parts of one agent, and what stands behind them: a real Postgres, or a simulated one. */
export interface AgentParts {
  readonly context: MemberContext;
  readonly postgres: MemberPostgres;
  readonly make: DataMaker;
  readonly watch: EstateWatch;
  /** Absent: nothing is moved between clusters here. */
  readonly moveGround?: MoveGround;
  readonly signal: AbortSignal;
}

/** Runs them until the signal fires, then closes admission and stops Postgres. */
export async function runParts(agent: AgentParts): Promise<void> {
  const { context, postgres, make, watch, moveGround, signal } = agent;
  const { contract, logger, etcd, keys, cluster, member, memory, clock } = context;
  const leaseSession = postgres.session('lease', 'agent', { timeoutMs: LEASE_CALL_TIMEOUT_MS });
  const syncSession = postgres.session('in-sync', 'superuser', { timeoutMs: LEASE_CALL_TIMEOUT_MS });
  const lagSession = postgres.session('lag', 'superuser', { timeoutMs: LEASE_CALL_TIMEOUT_MS });
  const bookSession = postgres.session('in-sync set', 'superuser', { timeoutMs: LEASE_CALL_TIMEOUT_MS });
  const beatSession = postgres.session('heartbeat', 'superuser', { timeoutMs: LEASE_CALL_TIMEOUT_MS });
  const rows = leaseSql(leaseSession, { cluster, member });

  const liveness = new AgentLiveness(etcd, contract.liveness.heartbeatTtlMs);
  const parts: { reconciler?: Reconciler; keeper?: LeaseKeeper } = {};
  const lag = new LagWatch({
    context,
    session: lagSession,
    watch,
    publisher: new ClaimPublisher(context, liveness),
    isLeading: () => parts.reconciler?.leading === true,
    onChange: () => parts.keeper?.hurry(),
  });
  const book = new SyncBook({
    session: bookSession,
    probe: () => postgres.session('in-sync probe', 'superuser', { waits: true }),
    writeNames: async (names) => {
      await postgres.writeSyncNames(names);
      await postgres.reload();
    },
    demandsFollowers: () => syncSession.use(leaseDemandsFollowers),
    silence: async (reason) => {
      await parts.keeper?.silence(reason);
    },
    deadlinesOverAfterMs: contract.lease.ttlMs + contract.lease.driftMs,
    logger,
    clock,
  });
  const keeper = new LeaseKeeper({
    contract,
    logger,
    clock,
    ports: {
      ...rows,
      renew: async ({ duty, grantId, sequence, timeoutMs }) => {
        const result = await renewLease({
          etcd,
          keys,
          cluster,
          authority: duty.authority,
          member,
          grantId,
          sequence,
          ttlMs: contract.lease.ttlMs,
          call: { timeoutMs },
          clock,
        });
        if (result.kind === 'unknown') throw result.error;
        return result.kind === 'renewed';
      },
      followersHoldAll: async ({ record, ...duty }) => {
        if (!book.stands(duty)) return false;
        const lsn = await readFlushedLsn(syncSession);
        return record.degraded || allFlushed(await readWalsenders(syncSession), record.voters, lsn);
      },
      closeAdmission: (reason) => rows.closeAdmission(reason, CLOSE_TIMEOUT_MS),
      stopPostgres: async (reason) => {
        logger.error({ reason }, 'Postgres could not be told: immediate shutdown');
        await postgres.stop('immediate', STOP_STEP_MS);
      },
      rpo: () => lag.right(),
      rpoApplied: (right) => lag.applied(right),
    },
  });
  parts.keeper = keeper;
  const reconciler = new Reconciler({
    cluster,
    member,
    memory,
    logger,
    clock,
    keeper,
    watch,
    ports: {
      pid: () => postgres.pid(),
      look: () => lookAt(postgres),
      carryOut: (action, round) => {
        if (action.kind === 'lead') lag.begin();
        return carryOut(action, { context, postgres, keeper, ...round }, { book, make });
      },
    },
  });
  parts.reconciler = reconciler;
  const heartbeat = new Heartbeat({
    context,
    session: beatSession,
    liveness,
    sources: {
      state: () => reconciler.status,
      leaseLeftMs: () => keeper.leaseLeftMs,
      walsenders: () => lag.walsenders,
      epoch: () => watch.current().clusters.get(cluster)?.membership?.value.epoch ?? 0,
    },
  });

  const automatic = new AutomaticFailover({
    context,
    watch,
    state: () => reconciler.status.state,
    isRefusedBy: (other) => postgres.isRefusedBy(other),
  });

  const preparer = new HandoverPreparer({
    context,
    watch,
    session: (timeoutMs) => postgres.session('checkpoint', 'superuser', { timeoutMs }),
    warmUp: async () => {
      const opened = [postgres.adopter, leaseSession, syncSession, lagSession, bookSession];
      await Promise.allSettled(opened.map((session) => session.query('select pg_backend_pid() as pid')));
    },
  });

  const moves =
    moveGround === undefined
      ? []
      : [
          new Moves({
            context,
            watch,
            postgres,
            ground: moveGround,
            leaseLeftMs: () => keeper.leaseLeftMs,
          }),
        ];
  const beats = new Beats({
    context,
    session: postgres.session('confirmed', 'agent', { waits: true }),
    watch,
    leaseLeftMs: () => keeper.leaseLeftMs,
  });
  const loops = [reconciler, keeper, lag, heartbeat, beats, automatic, preparer, ...moves];
  await Promise.all(loops.map((loop) => loop.run(signal)));
  await keeper.withdraw('the agent is shutting down', { lost: false });
  const open = [postgres.adopter, leaseSession, syncSession, lagSession, book];
  await Promise.all(open.map((part) => part.close()));
  await Promise.all([heartbeat.close(), liveness.close()]);
  await postgres.stop('fast', STOP_STEP_MS);
  logger.info({}, 'the agent has ended');
}
