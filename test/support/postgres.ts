/**
 * Real Postgres for tests: a leader, or a leader with a synchronous follower, with roles, migrations and a lease ready in
 * about a second. Each start copies a template that is made once a run. `stop` ends every process that was started.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { access, chmod, chown, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Client } from 'pg';
import type { PostgresRole } from '../../src/config/estate-config.ts';
import type { Scope } from '../../src/reservations/types.ts';
import { findPostgresBinaries } from '../../src/postgres/binaries.ts';
import { roleName } from '../../src/postgres/connect-as.ts';
import { closeConnection, connect } from '../../src/postgres/connection.ts';
import { initDatabase } from '../../src/postgres/init-database.ts';
import { osAccount, ownedFolder } from '../../src/postgres/run-as.ts';
import { type ServerProcess, startServer, type StopMode } from '../../src/postgres/server.ts';
import { adoptTerm, type GrantLease, grantLease } from '../../src/reservations/lease-sql.ts';
import { migrate } from '../../src/reservations/migrate.ts';
import { ensureRoles } from '../../src/reservations/roles.ts';

const run = promisify(execFile);
const OS_USER = 'postgres';
const DATABASE = 'capstan';
const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 20_000;
const LEADER_NAME = 'c1-leader';
const FOLLOWER_NAME = 'c1-follower';
const SYNC_NAMES = `ANY 1 ("${FOLLOWER_NAME}")`;

/** Every role's password in a test is its own name. */
const passwordOf = (role: PostgresRole): string => `${role}-password`;

/** The scope that is ready in every test database: shard 184, with a few beside it. */
export const SCOPE: Scope = { cluster: 'c1', epoch: 1, shard: 184, generation: 1, term: 1 };
export const TEST_SHARDS = [183, 184, 185] as const;

export interface ConnectTestOptions {
  readonly statementTimeoutMs?: number;
  readonly lockTimeoutMs?: number;
  readonly database?: string;
}

export interface TestPostgres {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly database: string;
  /** The running postmaster; a new one after `restart`. */
  readonly server: ServerProcess;
  /** A connection that `stop` closes. */
  connect(role: PostgresRole, options?: ConnectTestOptions): Promise<Client>;
  passwordOf(role: PostgresRole): string;
  /** Writes settings (undefined removes one) and waits until the server runs under them. */
  configure(settings: Readonly<Record<string, string | undefined>>): Promise<void>;
  restart(mode: StopMode | 'kill'): Promise<void>;
  /** Starts it again after it has ended by itself or by the test's hand. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface StartOptions {
  /** Settings over the harness's own. */
  readonly settings?: Readonly<Record<string, string>>;
  /** False for a database without an adopted term and a lease. */
  readonly lease?: boolean;
  /** False: fsync on, as a real estate has it. */
  readonly fast?: boolean;
}

export interface TestPair {
  readonly leader: TestPostgres;
  readonly follower: TestPostgres;
  readonly syncNames: string;
  readonly syncMembers: readonly string[];
  /** Stops the follower's receiver (SIGSTOP), so that commits wait; the returned function lets it go on. */
  pauseFollower(): Promise<() => void>;
  stop(): Promise<void>;
}

/** One leader that is its own durable set (a degraded lease). */
export async function startPostgres(options: StartOptions = {}): Promise<TestPostgres> {
  const leader = await Member.create(options);
  await leader.start();
  if (options.lease !== false) await openUp(leader, {});
  return leader;
}

/** A leader and its same-region follower, streaming and synchronous. */
export async function startPostgresPair(options: StartOptions = {}): Promise<TestPair> {
  const leader = await Member.create(options);
  await leader.start();
  const follower = await Member.create({ ...options, follow: leader });
  await follower.start();
  const watch = await leader.connect('superuser');
  await leader.configure({ synchronous_standby_names: SYNC_NAMES });
  await waitUntil('the follower streams synchronously', async () => {
    const { rows } = await watch.query(
      `select 1 from pg_stat_replication where application_name = $1 and sync_state = 'quorum'`,
      [FOLLOWER_NAME],
    );
    return rows.length === 1;
  });
  const syncMembers = [FOLLOWER_NAME];
  if (options.lease !== false) await openUp(leader, { syncNames: SYNC_NAMES, syncRequired: 1, syncMembers });
  let resume: (() => void) | undefined;
  return {
    leader,
    follower,
    syncNames: SYNC_NAMES,
    syncMembers,
    async pauseFollower() {
      const pid = await receiverPid(follower);
      process.kill(pid, 'SIGSTOP');
      resume = () => {
        resume = undefined;
        process.kill(pid, 'SIGCONT');
      };
      return () => resume?.();
    },
    async stop() {
      resume?.();
      await Promise.all([leader.stop(), follower.stop()]);
    },
  };
}

/** Grants a lease on the leader; what is not given holds for 60 s, open, degraded. Returns the grant's id. */
export async function grantTestLease(
  postgres: TestPostgres,
  overrides: Partial<GrantLease> = {},
): Promise<string> {
  const client = await postgres.connect('agent');
  const grantId = randomUUID();
  await grantLease(client, {
    cluster: SCOPE.cluster,
    epoch: SCOPE.epoch,
    term: SCOPE.term,
    leader: LEADER_NAME,
    grantId,
    validForMs: 60_000,
    rpoValidForMs: null,
    rpoLagMs: null,
    rpoClaim: null,
    admission: { state: 'open', reason: null },
    syncNames: '',
    syncRequired: 0,
    syncMembers: [],
    ...overrides,
  });
  await closeConnection(client);
  return overrides.grantId ?? grantId;
}

/** Polls until it holds; throws after the deadline, naming what was waited for. */
export async function waitUntil(
  what: string,
  holds: () => Promise<boolean> | boolean,
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await delay(10);
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function openUp(leader: TestPostgres, lease: Partial<GrantLease>): Promise<void> {
  const agent = await leader.connect('agent');
  const shards = TEST_SHARDS.map((shard) => ({
    shard,
    generation: SCOPE.generation,
    state: 'serving' as const,
  }));
  await adoptTerm(agent, { ...SCOPE, reason: 'test', shards });
  await closeConnection(agent);
  await grantTestLease(leader, lease);
}

async function receiverPid(follower: TestPostgres): Promise<number> {
  const client = await follower.connect('superuser');
  const { rows } = await client.query<{ pid: number }>('select pid from pg_stat_wal_receiver');
  await closeConnection(client);
  const pid = rows[0]?.pid;
  if (pid === undefined) throw new Error('the follower has no receiver');
  return pid;
}

interface MemberParts {
  readonly root: string;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
}

class Member implements TestPostgres {
  readonly host = HOST;
  readonly database = DATABASE;
  readonly port: number;
  readonly dataDir: string;
  readonly #root: string;
  readonly #settings: Map<string, string>;
  readonly #clients = new Set<Client>();
  #server: ServerProcess | undefined;

  private constructor({ root, port, settings }: MemberParts) {
    this.#root = root;
    this.port = port;
    this.dataDir = join(root, 'data');
    this.#settings = new Map(Object.entries(settings));
  }

  /** Copies the template; with `follow`, as a standby of that leader (both begin at the template's end). */
  static async create({
    settings,
    fast = true,
    follow,
  }: StartOptions & { follow?: Member }): Promise<Member> {
    const root = await runFolder('member-');
    const port = await freePort();
    await copyTemplate(join(root, 'data'));
    const standby: Record<string, string> =
      follow === undefined
        ? {}
        : {
            primary_conninfo: `host=${HOST} port=${follow.port} user=capstan_replication password=${passwordOf('replication')} application_name=${FOLLOWER_NAME}`,
          };
    const member = new Member({
      root,
      port,
      settings: { ...baseSettings(port), ...(fast ? { fsync: 'off' } : {}), ...standby, ...settings },
    });
    if (follow !== undefined) await member.#signalStandby();
    return member;
  }

  get server(): ServerProcess {
    if (this.#server === undefined) throw new Error('not started');
    return this.#server;
  }

  async start(): Promise<void> {
    await this.#writeConfiguration();
    this.#server = await startServer({
      binaries: await findPostgresBinaries(),
      dataDir: this.dataDir,
      configFile: join(this.#root, 'postgresql.conf'),
      hbaFile: join(this.#root, 'pg_hba.conf'),
      logFile: join(this.#root, 'postgres.log'),
      osUser: OS_USER,
    });
    await this.#server.waitReady({ timeoutMs: START_TIMEOUT_MS });
  }

  async restart(mode: StopMode | 'kill'): Promise<void> {
    if (mode === 'kill') {
      this.server.signal('SIGKILL');
      await this.server.exited;
    } else {
      await this.server.stop(mode);
    }
    // Backends of a killed postmaster let go of the shared memory a moment later.
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      try {
        return await this.start();
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await delay(50);
      }
    }
  }

  async connect(role: PostgresRole, options: ConnectTestOptions = {}): Promise<Client> {
    const client = await connect({
      host: HOST,
      port: this.port,
      user: roleName(role),
      password: passwordOf(role),
      database: options.database ?? DATABASE,
      applicationName: `test-${role}`,
      connectTimeoutMs: 5_000,
      statementTimeoutMs: options.statementTimeoutMs ?? 0,
      lockTimeoutMs: options.lockTimeoutMs ?? 0,
    });
    this.#clients.add(client);
    return client;
  }

  passwordOf(role: PostgresRole): string {
    return passwordOf(role);
  }

  async configure(settings: Readonly<Record<string, string | undefined>>): Promise<void> {
    for (const [name, value] of Object.entries(settings)) {
      if (value === undefined) this.#settings.delete(name);
      else this.#settings.set(name, value);
    }
    await this.#writeConfiguration();
    const client = await this.connect('superuser');
    const loadedAt = async () => {
      const { rows } = await client.query<{ at: string }>('select pg_conf_load_time()::text as at');
      return rows[0]?.at;
    };
    const before = await loadedAt();
    this.server.signal('SIGHUP');
    await waitUntil('the settings are loaded', async () => (await loadedAt()) !== before);
    await closeConnection(client);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#clients].map((client) => closeConnection(client, { timeoutMs: 200 })));
    if (this.#server !== undefined && this.#server.exit === undefined) {
      await this.#server.stop('immediate', { timeoutMs: 8_000 }).catch(() => this.#server?.signal('SIGKILL'));
      await this.#server.exited;
    }
    await rm(this.#root, { recursive: true, force: true, maxRetries: 5 });
  }

  async #writeConfiguration(): Promise<void> {
    const lines = [...this.#settings].map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
    await writeFile(join(this.#root, 'postgresql.conf'), `${lines.join('\n')}\n`);
    await writeFile(
      join(this.#root, 'pg_hba.conf'),
      `host all all 127.0.0.1/32 scram-sha-256\nhost replication capstan_replication 127.0.0.1/32 scram-sha-256\n`,
    );
  }

  async #signalStandby(): Promise<void> {
    const file = join(this.dataDir, 'standby.signal');
    await writeFile(file, '');
    const account = await osAccount(OS_USER);
    if (account !== undefined) await chown(file, account.uid, account.gid);
  }
}

function baseSettings(port: number): Record<string, string> {
  return {
    listen_addresses: HOST,
    port: String(port),
    unix_socket_directories: '',
    max_connections: '60',
    shared_buffers: '32MB',
    wal_level: 'logical',
    max_prepared_transactions: '0',
    restart_after_crash: 'off',
    wal_retrieve_retry_interval: '100ms',
    wal_sender_timeout: '0',
    wal_receiver_timeout: '0',
    max_standby_streaming_delay: '500ms',
    max_wal_size: '256MB',
    autovacuum_naptime: '5s',
    log_line_prefix: '%m [%p] ',
    timezone: 'UTC',
  };
}

/** A folder that the postgres user can enter, under the run's root when the leak guard made one. */
async function runFolder(prefix: string): Promise<string> {
  const folder = await mkdtemp(join(process.env['CAPSTAN_TEST_ROOT'] ?? tmpdir(), prefix));
  await chmod(folder, 0o755);
  return folder;
}

let template: Promise<string> | undefined;

async function copyTemplate(target: string): Promise<void> {
  template ??= makeTemplate();
  // Keeps owner and modes; uses the file system's own copy-on-write where it has one.
  await run('cp', ['-a', await template, target]);
}

/** Made once a run: under the run's root it is found again by the next test file. */
async function makeTemplate(): Promise<string> {
  const shared = process.env['CAPSTAN_TEST_ROOT'];
  const ready = shared === undefined ? undefined : join(shared, 'postgres-template');
  if (ready !== undefined) {
    const there = await access(ready).then(
      () => true,
      () => false,
    );
    if (there) return ready;
  }
  const root = await runFolder('template-');
  const dataDir = join(root, 'data');
  const binaries = await findPostgresBinaries();
  const port = await freePort();
  await initDatabase({ binaries, dataDir, osUser: OS_USER, superuserPassword: passwordOf('superuser') });
  const configFile = join(root, 'postgresql.conf');
  const settings = { ...baseSettings(port), fsync: 'off' };
  await writeFile(
    configFile,
    Object.entries(settings)
      .map(([name, value]) => `${name} = '${value}'\n`)
      .join(''),
  );
  const server = await startServer({
    binaries,
    dataDir,
    configFile,
    logFile: join(root, 'postgres.log'),
    osUser: OS_USER,
  });
  try {
    await server.waitReady({ timeoutMs: START_TIMEOUT_MS });
    await prepareDatabase(port);
  } finally {
    await server.stop('fast');
  }
  if (ready === undefined) {
    process.once('exit', () => void run('rm', ['-rf', root]));
    return dataDir;
  }
  await ownedFolder(dataDir, await osAccount(OS_USER));
  await rename(dataDir, ready);
  await rm(root, { recursive: true, force: true });
  return ready;
}

async function prepareDatabase(port: number): Promise<void> {
  const as = {
    host: HOST,
    port,
    user: roleName('superuser'),
    password: passwordOf('superuser'),
    applicationName: 'test-template',
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 30_000,
    lockTimeoutMs: 5_000,
  };
  const admin = await connect({ ...as, database: 'postgres' });
  await admin.query(`create database ${DATABASE}`);
  const passwords = {
    replication: passwordOf('replication'),
    gateway: passwordOf('gateway'),
    app: passwordOf('app'),
    agent: passwordOf('agent'),
    operator: passwordOf('operator'),
    reader: passwordOf('reader'),
  };
  await ensureRoles({ client: admin, passwords });
  await closeConnection(admin);
  const client = await connect({ ...as, database: DATABASE });
  await migrate({ client });
  await closeConnection(client);
}
