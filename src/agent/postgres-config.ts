import type { EstateConfig } from '../config/estate-config.ts';
import { roleName, splitEndpoint } from '../postgres/connect-as.ts';
import type { AgentFiles } from './agent-files.ts';

/** A value as a configuration file takes it. (Postgres docs, "Setting Parameters".) */
export const quoted = (value: string): string => `'${value.replaceAll("'", "''")}'`;

const setting = ([name, value]: readonly [string, string | number | boolean]): string =>
  `${name} = ${typeof value === 'string' ? quoted(value) : typeof value === 'boolean' ? (value ? 'on' : 'off') : value}`;

export interface ConfigOptions {
  readonly config: EstateConfig;
  readonly files: AgentFiles;
  readonly listen: string;
}

/**
 * The main configuration file. What a role changes is in the two included files, each replaced as a whole, so that no
 * crash leaves half of a setting.
 */
export function renderConfig({ config, files, listen }: ConfigOptions): string {
  const { host, port } = splitEndpoint(listen);
  const { tls } = config.postgres;
  const settings: readonly (readonly [string, string | number | boolean])[] = [
    ['listen_addresses', host],
    ['port', port],
    ['unix_socket_directories', ''],
    ['max_connections', 400],
    ['superuser_reserved_connections', 10],
    ['shared_buffers', '128MB'],
    ['dynamic_shared_memory_type', 'posix'],
    ['password_encryption', 'scram-sha-256'],
    ['timezone', 'UTC'],
    ['log_timezone', 'UTC'],
    ['log_line_prefix', '%m [%p] %a '],
    ['log_checkpoints', false],
    // A crashed backend must end in a restart by the agent: the full grant path, with its holds.
    ['restart_after_crash', false],
    // A prepared transaction would pass the fence at PREPARE and commit at any later time.
    ['max_prepared_transactions', 0],
    ['fsync', true],
    ['full_page_writes', true],
    ['synchronous_commit', 'on'],
    ['wal_level', 'logical'],
    // pg_rewind needs hint bits logged or checksums; both are on.
    ['wal_log_hints', true],
    ['max_wal_senders', 20],
    ['max_replication_slots', 60],
    ['max_logical_replication_workers', 20],
    ['max_sync_workers_per_subscription', 2],
    ['max_worker_processes', 40],
    ['wal_keep_size', '512MB'],
    // What a move's slot may keep while its receiver is away: seven minutes at 10 MB of WAL a second. Beyond it the slot is
    // given up and the shards are copied anew; without it a receiver that never returns fills the disk and stops every decision.
    ['max_slot_wal_keep_size', '4GB'],
    ['max_wal_size', '1GB'],
    ['wal_sender_timeout', '5s'],
    ['wal_receiver_timeout', '5s'],
    ['wal_receiver_status_interval', '1s'],
    // Otherwise each restart of the receiver costs up to 5 s.
    ['wal_retrieve_retry_interval', '100ms'],
    ['hot_standby', true],
    ['hot_standby_feedback', false],
    // A long reader would stop replay, and with it the proof of the lag and a freeze.
    ['max_standby_streaming_delay', '500ms'],
    ['max_standby_archive_delay', '500ms'],
    ['recovery_target_timeline', 'latest'],
    ['tcp_keepalives_idle', 5],
    ['tcp_keepalives_interval', 2],
    ['tcp_keepalives_count', 3],
    ['client_min_messages', 'warning'],
    ['cluster_name', ''],
  ];
  const secure: readonly (readonly [string, string | number | boolean])[] =
    tls.mode === 'disable' || tls.serverCert === undefined || tls.serverKey === undefined
      ? [['ssl', false]]
      : [
          ['ssl', true],
          ['ssl_cert_file', tls.serverCert],
          ['ssl_key_file', tls.serverKey],
          ...(tls.ca === undefined ? [] : ([['ssl_ca_file', tls.ca]] as const)),
        ];
  return [
    '# Written by the agent; changes are overwritten when it starts.',
    ...[...settings, ...secure].map(setting),
    `include = ${quoted(files.upstream)}`,
    `include = ${quoted(files.syncNames)}`,
    '',
  ].join('\n');
}

/** Who may connect: the known roles, by password; the superuser from this host only. */
export function renderHba({ config }: Pick<ConfigOptions, 'config'>): string {
  const { database, tls } = config.postgres;
  const host = tls.mode === 'disable' ? 'host' : 'hostssl';
  const roles = (['gateway', 'app', 'agent', 'operator', 'reader'] as const).map(roleName);
  return [
    '# Written by the agent; changes are overwritten when it starts.',
    `${host} all ${roleName('superuser')} samehost scram-sha-256`,
    ...roles.map((role) => `${host} ${database} ${role} all scram-sha-256`),
    `${host} replication ${roleName('replication')} all scram-sha-256`,
    // Logical replication between clusters connects to the database itself.
    `${host} ${database} ${roleName('replication')} all scram-sha-256`,
    '',
  ].join('\n');
}

/** Everything but this is refused in the data directory's own override file. */
export const AUTO_CONF_EMPTY = '# Do not edit: Capstan keeps all settings outside the data directory.\n';

/** Whether `postgresql.auto.conf` sets anything; it would win over every file of the agent's. */
export const overrides = (text: string): readonly string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));

/** One parameter of a libpq connection string. */
const parameter = (name: string, value: string | number): string =>
  `${name}='${String(value).replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

export interface SourceOptions {
  /** For a logical connection. */
  readonly database?: string;
  readonly config: EstateConfig;
  readonly files: AgentFiles;
  /** `host:port` as this member's region sees it. */
  readonly address: string;
  readonly applicationName: string;
}

/** How a standby, or a clone, reaches its source. The password is in a file of its own. */
export function sourceConninfo(options: SourceOptions): string {
  const { config, files, address, applicationName, database } = options;
  const { host, port } = splitEndpoint(address);
  const { tls } = config.postgres;
  return [
    parameter('host', host),
    parameter('port', port),
    parameter('user', roleName('replication')),
    ...(database === undefined ? [] : [parameter('dbname', database)]),
    parameter('passfile', files.passwords),
    parameter('application_name', applicationName),
    parameter('connect_timeout', 3),
    parameter('keepalives_idle', 5),
    parameter('keepalives_interval', 2),
    parameter('keepalives_count', 3),
    parameter('sslmode', tls.mode),
    ...(tls.ca === undefined ? [] : [parameter('sslrootcert', tls.ca)]),
    ...(tls.cert === undefined ? [] : [parameter('sslcert', tls.cert)]),
    ...(tls.key === undefined ? [] : [parameter('sslkey', tls.key)]),
    // Kerberos would be asked first where a host has it, at the price of a round trip.
    parameter('gssencmode', 'disable'),
  ].join(' ');
}

const UPSTREAM_MARK = '# upstream: ';

/** The file that says whom to follow; null: no one, so nothing more is received. */
export function renderUpstream(source: { readonly name: string; readonly conninfo: string } | null): string {
  return [
    `${UPSTREAM_MARK}${source?.name ?? ''}`,
    `primary_conninfo = ${quoted(source?.conninfo ?? '')}`,
    `restore_command = ''`,
    '',
  ].join('\n');
}

/** Whom the file says to follow. */
export function upstreamOf(text: string | undefined): string | null {
  const line = text?.split('\n').find((candidate) => candidate.startsWith(UPSTREAM_MARK));
  const name = line?.slice(UPSTREAM_MARK.length).trim();
  return name === undefined || name === '' ? null : name;
}

export const renderSyncNames = (names: string): string => `synchronous_standby_names = ${quoted(names)}\n`;

/** libpq's password file. (Postgres docs, "The Password File".) */
export const renderPasswords = (password: string): string =>
  `*:*:*:${roleName('replication')}:${password.replaceAll('\\', '\\\\').replaceAll(':', '\\:')}\n`;
