/** The data directory that every test database is a copy of: roles and migrations are in it. Made once a run. */
import { execFile } from 'node:child_process';
import { access, chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PostgresRole } from '../../src/config/estate-config.ts';
import { findPostgresBinaries } from '../../src/postgres/binaries.ts';
import { roleName } from '../../src/postgres/connect-as.ts';
import { closeConnection, connect } from '../../src/postgres/connection.ts';
import { initDatabase } from '../../src/postgres/init-database.ts';
import { startServer } from '../../src/postgres/server.ts';
import { migrate } from '../../src/reservations/migrate.ts';
import { ensureRoles } from '../../src/reservations/roles.ts';

const run = promisify(execFile);
export const OS_USER = 'postgres';
export const DATABASE = 'capstan';
export const HOST = '127.0.0.1';
export const START_TIMEOUT_MS = 20_000;

/** Every role's password in a test is its own name. */
export const passwordOf = (role: PostgresRole): string => `${role}-password`;

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export function baseSettings(port: number): Record<string, string> {
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
export async function runFolder(prefix: string): Promise<string> {
  const folder = await mkdtemp(join(process.env['CAPSTAN_TEST_ROOT'] ?? tmpdir(), prefix));
  await chmod(folder, 0o755);
  return folder;
}

let template: Promise<string> | undefined;

export async function copyTemplate(target: string): Promise<void> {
  template ??= makeTemplate();
  // Keeps owner and modes; uses the file system's own copy-on-write where it has one.
  await run('cp', ['-a', await template, target]);
}

/** Made once a run: under the run's root it is found again by the next test file. */
async function makeTemplate(): Promise<string> {
  const shared = process.env['CAPSTAN_TEST_ROOT'];
  const ready = shared === undefined ? undefined : join(shared, 'postgres-template');
  if (ready !== undefined && (await exists(ready))) return ready;
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
    process.once('exit', () => rmSync(root, { recursive: true, force: true }));
    return dataDir;
  }
  try {
    await rename(dataDir, ready);
  } catch (error) {
    // A test file that runs beside this one was first; its template is as good.
    if (!(await exists(ready))) throw error;
  }
  await rm(root, { recursive: true, force: true });
  return ready;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

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
