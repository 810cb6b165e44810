import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import { Client, type ClientBase, type ClientConfig, DatabaseError, Pool } from 'pg';
import { messageOf, unreachableError } from '../domain/errors.ts';

/** Paths of PEM files. `require` encrypts, `verify-full` also checks the server's certificate and name. */
export interface PostgresTls {
  readonly mode: 'disable' | 'require' | 'verify-full';
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly tls?: PostgresTls;
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
  /** Server-side; 0 means none. It doesn't fire while a commit waits for a follower. */
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  readonly replication?: 'database' | 'true';
}

const KEEPALIVE_AFTER_MS = 5_000;
const IDLE_IN_TRANSACTION_MS = 10_000;

/**
 * Opens one connection. int8 arrives as string. A connection that breaks later never crashes the process: the query in
 * flight rejects, and so does each later one. Throws CapstanError `postgres_unreachable` (exit 7).
 */
export async function connect(options: ConnectOptions): Promise<Client> {
  const client = new Client(await clientConfig(options));
  client.on('error', ignoreLateError);
  try {
    await client.connect();
  } catch (error) {
    dropConnection(client);
    throw unreachable(options, error);
  }
  return client;
}

export interface PoolOptions extends Omit<ConnectOptions, 'replication'> {
  readonly connectionsMax: number;
  readonly idleTimeoutMs?: number;
}

/** A small pool with the same settings. It opens connections on demand; `pool.connect()` rejects with pg's own error. */
export async function createPool(options: PoolOptions): Promise<Pool> {
  const pool = new Pool({
    ...(await clientConfig(options)),
    max: options.connectionsMax,
    idleTimeoutMillis: options.idleTimeoutMs ?? 30_000,
  });
  pool.on('error', ignoreLateError);
  pool.on('connect', (client) => client.on('error', ignoreLateError));
  return pool;
}

/**
 * Cuts a connection without a goodbye: for one whose answer came too late to be used. The server notices when it next
 * writes or reads; it never cancels a commit that waits for a follower.
 */
export function dropConnection(client: ClientBase): void {
  const { connection } = client as unknown as { connection: { stream: { destroy(): void } } };
  connection.stream.destroy();
}

/** Ends a connection politely, but waits no longer than the deadline. Never throws. */
export async function closeConnection(client: Client, options: { timeoutMs?: number } = {}): Promise<void> {
  const timer = setTimeout(() => dropConnection(client), options.timeoutMs ?? 1_000);
  try {
    await client.end();
  } catch {
    dropConnection(client);
  } finally {
    clearTimeout(timer);
  }
}

/** A broken connection as the error that crosses an operation's boundary. */
export function unreachable(where: { host: string; port: number; user: string }, error: unknown): Error {
  const { host, port, user } = where;
  return unreachableError(`Postgres at ${host}:${port} as ${user}: ${messageOf(error)}`, {
    code: 'postgres_unreachable',
    data: { host, port, user, sqlState: sqlStateOf(error) ?? null },
    cause: error,
  });
}

/** The SQLSTATE of an error that the server sent; undefined for one of the network or of the library. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}

function ignoreLateError(): void {
  // The query in flight already rejects with the same error; without a listener the process would end.
}

async function clientConfig(options: ConnectOptions): Promise<ClientConfig> {
  const { host, port, user, password, database, replication } = options;
  return {
    host,
    port,
    user,
    password,
    database,
    ssl: await tlsOptions(options.tls),
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_AFTER_MS,
    // At `error` the warning that a sync wait was cancelled would be hidden, and its reply look like a success.
    options: '-c client_min_messages=warning',
    ...(replication === undefined ? {} : { replication }),
  };
}

async function tlsOptions(tls: PostgresTls | undefined): Promise<false | ConnectionOptions> {
  if (tls === undefined || tls.mode === 'disable') return false;
  const parts = await Promise.all([pem('ca', tls.ca), pem('cert', tls.cert), pem('key', tls.key)]);
  return Object.assign({ rejectUnauthorized: tls.mode === 'verify-full' }, ...parts) as ConnectionOptions;
}

async function pem(name: string, path: string | undefined): Promise<ConnectionOptions> {
  return path === undefined ? {} : { [name]: await readFile(path, 'utf8') };
}
