import { access, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, unreachableError } from '../domain/errors.ts';
import { addressFrom } from '../config/estate-config.ts';
import { findMemberConfig } from '../config/member-config.ts';
import { readSecret } from '../config/secrets.ts';
import { startServer } from '../postgres/server.ts';
import { type AgentContext, connectLocally } from './context.ts';
import { readControlData } from './control-data.ts';
import { UNREAD } from './decide-action.ts';
import { readIfThere, writeDurably } from './durable-file.ts';
import { BARRIER_NAMES } from './follower-name.ts';
import { isRefused } from './is-refused.ts';
import { LocalSession } from './local-session.ts';
import type { ControlData, MemberPostgres, RunningFacts } from './member-postgres.ts';
import { pause } from './pause.ts';
import {
  AUTO_CONF_EMPTY,
  overrides,
  quoted,
  renderConfig,
  renderHba,
  renderPasswords,
  renderSyncNames,
  renderUpstream,
  sourceConninfo,
  upstreamOf,
} from './postgres-config.ts';
import {
  findPostmaster,
  killBuilders,
  killLeftovers,
  send,
  type ShutdownMode,
  stopPostmaster,
} from './postmaster.ts';
import { readSourceHistory } from './source-history.ts';
import { switchesBefore, whyAnotherLog } from './same-log.ts';
import { hasRecordAfter } from './standby-position.ts';
import type { LogPoint, OwnPosition, SourceHistory, TimelineSwitch } from './timeline-history.ts';

const FACTS_TIMEOUT_MS = 1_000;
const START_TIMEOUT_MS = 60_000;
const STOP_STEP_MS = 3_000;
const ADOPT_TIMEOUT_MS = 20_000;

/**
 * The one Postgres beside this agent: its files, its process, and the agent's sessions in it. A process that an earlier agent
 * started is taken over as it is: only its id matters.
 */
export class LocalPostgres implements MemberPostgres {
  readonly #context: AgentContext;
  /** For the reconciler's looks and actions. */
  readonly admin: LocalSession;
  readonly adopter: LocalSession;

  constructor(context: AgentContext) {
    this.#context = context;
    this.admin = this.session('reconciler', 'superuser');
    this.adopter = this.session('adopt', 'agent', { timeoutMs: ADOPT_TIMEOUT_MS });
  }

  session(
    purpose: string,
    role: 'superuser' | 'agent',
    options: { waits?: boolean; timeoutMs?: number } = {},
  ) {
    const { waits = false, timeoutMs = 5_000 } = options;
    return new LocalSession({
      open: () => connectLocally(this.#context, { role, purpose, waits }),
      timeoutMs,
    });
  }

  async data(): Promise<'absent' | 'incomplete' | 'primary' | 'standby'> {
    const { dataDir } = this.#context.files;
    const building = this.#context.memory.value.building !== null;
    if (!(await exists(join(dataDir, 'PG_VERSION')))) {
      return building && (await exists(dataDir)) ? 'incomplete' : 'absent';
    }
    if (building) return 'incomplete';
    return (await exists(join(dataDir, STANDBY_SIGNAL))) ? 'standby' : 'primary';
  }

  async pid(): Promise<number | undefined> {
    return (await findPostmaster(this.#context.files.dataDir))?.pid;
  }

  /** Undefined: it doesn't answer (yet). */
  async running(): Promise<RunningFacts | undefined> {
    try {
      const row = await this.admin.one<{ recovering: boolean; run: string }>(
        `select pg_is_in_recovery() as recovering, extract(epoch from pg_postmaster_start_time())::text as run`,
        [],
        FACTS_TIMEOUT_MS,
      );
      return { recovering: row.recovering, serverRun: row.run };
    } catch {
      return undefined;
    }
  }

  /** Whom the standby follows, as its running Postgres has read it. */
  async upstream(running: RunningFacts | undefined): Promise<string | null> {
    const text = await readIfThere(this.#context.files.upstream);
    if (running?.recovering !== true) return upstreamOf(text);
    const { source } = await this.admin.one<{ source: string }>(
      `select current_setting('primary_conninfo') as source`,
    );
    if (text?.includes(`primary_conninfo = ${quoted(source)}\n`) === true) return upstreamOf(text);
    await this.reload();
    return UNREAD;
  }

  /** Writes every file but the two that a role changes; those only where they are missing. */
  async writeConfig(): Promise<void> {
    const { config, files, memberConfig, account } = this.#context;
    const password = await readSecret(
      config.postgres.passwords.replication,
      'postgres.passwords.replication',
    );
    await writeDurably(files.config, renderConfig({ config, files, listen: memberConfig.listen }), account);
    await writeDurably(files.hba, renderHba({ config }), account);
    await writeDurably(files.ident, '', account);
    await writeDurably(files.passwords, renderPasswords(password), account);
    if (!(await exists(files.upstream))) await this.writeUpstream(null);
    if (!(await exists(files.syncNames))) await this.writeSyncNames(BARRIER_NAMES);
    await this.#emptyAutoConf();
  }

  /** Settings inside the data directory would win over ours, and pg_rewind brings the source's along. */
  async #emptyAutoConf(): Promise<void> {
    const { files, account, logger } = this.#context;
    const path = join(files.dataDir, 'postgresql.auto.conf');
    const found = overrides((await readIfThere(path)) ?? '');
    if (found.length === 0) return;
    logger.warn({ settings: found.map((line) => line.split(/[\s=]/)[0]) }, 'postgresql.auto.conf is emptied');
    await writeDurably(path, AUTO_CONF_EMPTY, account);
  }

  async writeUpstream(leader: { readonly member: string; readonly name: string } | null): Promise<void> {
    const { files, account } = this.#context;
    const source =
      leader === null ? null : { name: leader.name, conninfo: await this.conninfoOf(leader.member) };
    await writeDurably(files.upstream, renderUpstream(source), account);
  }

  async writeSyncNames(names: string): Promise<void> {
    const { files, account } = this.#context;
    await writeDurably(files.syncNames, renderSyncNames(names), account);
  }

  /** How to reach a member's Postgres for replication, from this member, or its region. */
  async conninfoOf(member: string, applicationName = this.ownName()): Promise<string> {
    const { config, files, cluster, member: own, memberConfig } = this.#context;
    const source = await findMemberConfig(config, cluster, member);
    const address = addressFrom(source.address, [own, memberConfig.region]);
    return sourceConninfo({ config, files, address, applicationName });
  }

  ownName(): string {
    const { member, memory } = this.#context;
    return `${member}_${memory.value.incarnation ?? 'unknown'}`;
  }

  hasRecordAfter(position: Pick<OwnPosition, 'lsn' | 'timeline'>): Promise<boolean> {
    return hasRecordAfter(this.#context, position);
  }

  isRefusedBy(member: string): Promise<boolean> {
    const { clusterConfig, memberConfig } = this.#context;
    const address = clusterConfig.members[member]?.address;
    return address === undefined
      ? Promise.resolve(false)
      : isRefused(addressFrom(address, memberConfig.region));
  }

  historyOf(member: string): Promise<SourceHistory> {
    return readSourceHistory(this.#context, member);
  }

  switchesBefore(timeline: number): Promise<readonly TimelineSwitch[] | undefined> {
    return switchesBefore(this.#context, timeline);
  }

  whyAnotherLog(leader: string, point: LogPoint): Promise<string | undefined> {
    return whyAnotherLog(this.#context, leader, point);
  }

  /** Starts it with the files as they are and waits until it answers. Throws `postgres_start_failed` with the log's end. */
  async start(signal: AbortSignal, ready: () => Promise<boolean> = this.#answers): Promise<void> {
    const { binaries, config, files, logger } = this.#context;
    await this.writeConfig();
    await killLeftovers(files.dataDir);
    const server = await startServer({
      binaries,
      dataDir: files.dataDir,
      configFile: files.config,
      hbaFile: files.hba,
      identFile: files.ident,
      logFile: files.log,
      osUser: config.postgres.osUser,
      // It lives on when the agent is killed, and a restarted agent takes it over.
      detached: true,
    });
    logger.info({ pid: server.pid }, 'postgres started');
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (!(await ready())) {
      if (server.exit !== undefined || performance.now() > deadline) {
        throw unreachableError(`postgres did not come up: ${await this.#logEnd()}`, {
          code: 'postgres_start_failed',
        });
      }
      if (signal.aborted) return;
      await pause(50, signal);
    }
  }

  readonly #answers = async (): Promise<boolean> => (await this.running()) !== undefined;

  /** What somebody has set inside the data directory meanwhile would win over the files that are to be read. */
  async reload(): Promise<void> {
    const pid = await this.pid();
    if (pid === undefined) return;
    await this.#emptyAutoConf();
    send(pid, 'SIGHUP');
  }

  /** Ends it for certain. */
  async stop(mode: ShutdownMode, stepMs = STOP_STEP_MS): Promise<void> {
    const { dataDir } = this.#context.files;
    const pid = await this.pid();
    this.admin.drop();
    this.adopter.drop();
    if (pid === undefined) {
      // A postmaster that was killed may leave backends behind, which still commit.
      await killLeftovers(dataDir);
      return;
    }
    this.#context.logger.info({ pid, mode }, 'stopping postgres');
    await stopPostmaster({ dataDir, pid, mode, stepMs });
  }

  async hasEnded(): Promise<boolean> {
    return (await this.pid()) === undefined && (await killLeftovers(this.#context.files.dataDir));
  }

  async markStandby(): Promise<void> {
    const { files, account } = this.#context;
    await writeDurably(join(files.dataDir, STANDBY_SIGNAL), '', account);
  }

  controlData(): Promise<ControlData> {
    return readControlData(this.#context);
  }

  /** Removes what is in the data directory; the directory itself may be a mount point. */
  async discardData(): Promise<void> {
    const { dataDir } = this.#context.files;
    await killBuilders(dataDir);
    const entries = await readdir(dataDir).catch(() => []);
    await Promise.all(entries.map((entry) => rm(join(dataDir, entry), { recursive: true, force: true })));
  }

  async #logEnd(): Promise<string> {
    const text = await readFile(this.#context.files.log, 'utf8').catch((error: unknown) => messageOf(error));
    return text.trim().split('\n').slice(-4).join(' | ');
  }
}

const STANDBY_SIGNAL = 'standby.signal';

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
