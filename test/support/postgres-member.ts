/** One Postgres of a test: a copy of the template, its configuration, its process and the connections to it. */
import { chown, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import type { PostgresRole } from '../../src/config/estate-config.ts';
import { findPostgresBinaries } from '../../src/postgres/binaries.ts';
import { roleName } from '../../src/postgres/connect-as.ts';
import { closeConnection, connect } from '../../src/postgres/connection.ts';
import { osAccount } from '../../src/postgres/run-as.ts';
import { type ServerProcess, startServer, type StopMode } from '../../src/postgres/server.ts';
import {
  baseSettings,
  copyTemplate,
  DATABASE,
  freePort,
  HOST,
  OS_USER,
  passwordOf,
  runFolder,
  START_TIMEOUT_MS,
} from './postgres-template.ts';

export const FOLLOWER_NAME = 'c1-follower';

interface ConnectTestOptions {
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

interface MemberParts {
  readonly root: string;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
}

export class Member implements TestPostgres {
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
