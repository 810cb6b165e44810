import { systemClock } from '../clock/system-clock.ts';
import type { EstateConfig } from '../config/estate-config.ts';
import { watchEstate } from '../controlplane/estate-watch.ts';
import { Keys } from '../controlplane/keys.ts';
import { readContract } from '../controlplane/store.ts';
import { messageOf } from '../domain/errors.ts';
import { etcdFromConfig } from '../etcd/from-config.ts';
import { findPostgresBinaries } from '../postgres/binaries.ts';
import { osAccount } from '../postgres/run-as.ts';
import { handoversOf } from './actions/adopt.ts';
import { bootstrap } from './actions/bootstrap.ts';
import { clone } from './actions/clone.ts';
import { agentFiles, prepareFolder } from './agent-files.ts';
import { lockAgent } from './agent-lock.ts';
import type { DataMaker } from './data-maker.ts';
import { type AgentContext, findMember } from './context.ts';
import { LocalPostgres } from './local-postgres.ts';
import type { AgentLogger } from './logger.ts';
import { MemoryFile } from './memory.ts';
import { localMoveGround } from './moves/local-ground.ts';
import { runParts } from './parts.ts';
import { Progress } from './progress.ts';
import { prove } from './restore/prove.ts';
import { restore } from './restore/restore.ts';
import { salvage } from './salvage/salvage.ts';

export interface RunAgentOptions {
  readonly config: EstateConfig;
  readonly member: string;
  /** Ends the agent: admission is closed, Postgres is stopped, then it resolves. */
  readonly signal: AbortSignal;
  readonly logger: AgentLogger;
}

const STARTUP_RETRY_MS = 500;
const PROGRESS_TIMEOUT_MS = 1_000;

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
    const etcd = await etcdFromConfig(config, [member, memberConfig.region]);
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
      region: memberConfig.region,
      version: binaries.version,
      files,
      account,
      binaries,
      etcd,
      keys,
      contract,
      memory,
      logger,
      clock: systemClock,
    };
    const postgres = new LocalPostgres(context);
    const own = { context, postgres };
    const make: DataMaker = {
      bootstrap: (work) => bootstrap(work, context, postgres),
      clone: (work, leader) => clone(context, postgres, { leader, signal: work.signal }),
      salvage: (work, about) => salvage(work, own, about),
      restore: (work, about) => restore(work, own, about),
      prove: (work, leader) => prove(work, own, leader),
    };
    const progress = new Progress(
      context,
      postgres.session('progress', 'superuser', { timeoutMs: PROGRESS_TIMEOUT_MS }),
      () => handoversOf(watch.current(), context.cluster),
    );
    const moveGround = localMoveGround(context);
    await Promise.all([
      runParts({ context, postgres, make, watch, moveGround, signal }),
      progress.run(signal),
    ]);
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
      await systemClock.sleep(STARTUP_RETRY_MS, signal);
    }
  }
  return undefined;
}
