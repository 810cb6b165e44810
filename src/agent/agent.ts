import type { EstateConfig } from '../config/estate-config.ts';
import { type EstateWatch, watchEstate } from '../controlplane/estate-watch.ts';
import { Keys } from '../controlplane/keys.ts';
import { renewLease } from '../controlplane/lease.ts';
import { readContract } from '../controlplane/store.ts';
import { messageOf } from '../domain/errors.ts';
import { etcdFromConfig } from '../etcd/from-config.ts';
import { findPostgresBinaries } from '../postgres/binaries.ts';
import { osAccount } from '../postgres/run-as.ts';
import { agentFiles, prepareFolder } from './agent-files.ts';
import { lockAgent } from './agent-lock.ts';
import { type AgentContext, findMember } from './context.ts';
import { Heartbeat } from './heartbeat.ts';
import { LagWatch } from './lag-watch.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { leaseSql } from './lease-row.ts';
import { LocalPostgres } from './local-postgres.ts';
import type { AgentLogger } from './logger.ts';
import { MemoryFile } from './memory.ts';
import { pause } from './pause.ts';
import { Reconciler } from './reconciler.ts';
import { readFlushedLsn, readWalsenders } from './replication-facts.ts';
import { SyncBook } from './sync-book.ts';
import { allFlushed } from './sync-set.ts';

export interface RunAgentOptions {
  readonly config: EstateConfig;
  readonly member: string;
  /** Ends the agent: admission is closed, Postgres is stopped, then it resolves. */
  readonly signal: AbortSignal;
  readonly logger: AgentLogger;
}

const STARTUP_RETRY_MS = 500;
const LEASE_CALL_TIMEOUT_MS = 1_000;
const CLOSE_TIMEOUT_MS = 500;
const STOP_STEP_MS = 2_000;

/**
 * Runs the agent beside one member's Postgres until the signal fires. It waits for etcd and for the estate to exist. Throws
 * what is wrong with the configuration itself (`member_unknown`, `postgres_missing`, `os_user_missing`, `secret_missing`,
 * `agent_memory_foreign`), and `agent_already_runs` while another agent has the data directory.
 */
export async function runAgent({ config, member, signal, logger }: RunAgentOptions): Promise<void> {
  const { cluster, clusterConfig, memberConfig } = findMember(config, member);
  const { binDir, osUser } = config.postgres;
  const binaries = await findPostgresBinaries(binDir === undefined ? {} : { binDir });
  const account = await osAccount(osUser);
  const files = agentFiles(memberConfig.dataDir);
  await prepareFolder(files, account);
  const held = new AsyncDisposableStack();
  try {
    held.use(await lockAgent(files.lock));
    await runLocked(held);
  } finally {
    // Last in, first out: etcd is let go before the lock.
    await held.disposeAsync();
  }

  async function runLocked(resources: AsyncDisposableStack): Promise<void> {
    const memory = await MemoryFile.open(files.memory, member);
    const keys = new Keys(config.estate);
    const etcd = await etcdFromConfig(config, memberConfig.region);
    resources.defer(() => etcd.close());
    const opened = await openEstate({ signal, logger }, async () => ({
      contract: await readContract(etcd, keys),
      watch: await watchEstate({
        etcd,
        keys,
        onReport: (report) => logger.warn({ report }, 'etcd says something that is not believed'),
        onBreak: (error) => logger.debug({ reason: messageOf(error) }, 'the watch on etcd broke'),
      }),
    }));
    if (opened === undefined) return;
    const { contract, watch } = opened;
    const context: AgentContext = {
      config,
      cluster,
      clusterConfig,
      member,
      memberConfig,
      files,
      account,
      binaries,
      etcd,
      keys,
      contract,
      memory,
      logger,
    };
    await runParts(context, watch, signal);
    await watch.close();
  }
}

/** Tries until etcd answers and the estate is there; undefined when the signal came first. */
async function openEstate<T>(
  { signal, logger }: Pick<RunAgentOptions, 'signal' | 'logger'>,
  open: () => Promise<T>,
): Promise<T | undefined> {
  let said = '';
  while (!signal.aborted) {
    try {
      return await open();
    } catch (error) {
      const reason = messageOf(error);
      if (reason !== said) logger.warn({ reason }, 'waiting for the estate');
      said = reason;
      await pause(STARTUP_RETRY_MS, signal);
    }
  }
  return undefined;
}

async function runParts(context: AgentContext, watch: EstateWatch, signal: AbortSignal): Promise<void> {
  const { contract, logger, etcd, keys, cluster, member } = context;
  const postgres = new LocalPostgres(context);
  const leaseSession = postgres.session('lease', 'agent', { timeoutMs: LEASE_CALL_TIMEOUT_MS });
  const syncSession = postgres.session('in-sync', 'superuser', { timeoutMs: LEASE_CALL_TIMEOUT_MS });
  const lagSession = postgres.session('lag', 'superuser', { timeoutMs: LEASE_CALL_TIMEOUT_MS });
  const beatSession = postgres.session('heartbeat', 'superuser', { timeoutMs: LEASE_CALL_TIMEOUT_MS });
  const rows = leaseSql(leaseSession, { cluster, member });

  const parts: { reconciler?: Reconciler; keeper?: LeaseKeeper } = {};
  const lag = new LagWatch({
    context,
    session: lagSession,
    watch,
    isLeading: () => parts.reconciler?.leading === true,
    onChange: () => parts.keeper?.hurry(),
  });
  const book = new SyncBook({
    session: postgres.session('in-sync set', 'superuser', { timeoutMs: LEASE_CALL_TIMEOUT_MS }),
    probe: () => postgres.session('in-sync probe', 'superuser', { waits: true }),
    writeNames: async (names) => {
      await postgres.writeSyncNames(names);
      await postgres.reload();
    },
    logger,
  });
  const keeper = new LeaseKeeper({
    contract,
    logger,
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
  const reconciler = new Reconciler({ context, postgres, keeper, book, watch });
  parts.reconciler = reconciler;
  const heartbeat = new Heartbeat(context, beatSession, {
    state: () => reconciler.status,
    leaseLeftMs: () => keeper.leaseLeftMs,
    walsenders: () => lag.walsenders,
    epoch: () => watch.current().clusters.get(cluster)?.membership?.value.epoch ?? 0,
  });

  await Promise.all([reconciler.run(signal), keeper.run(signal), lag.run(signal), heartbeat.run(signal)]);
  await keeper.withdraw('the agent is shutting down', { lost: false });
  await Promise.all([leaseSession, syncSession, lagSession, book].map((part) => part.close()));
  await heartbeat.close();
  await postgres.stop('fast', STOP_STEP_MS);
  logger.info({}, 'the agent has ended');
}
