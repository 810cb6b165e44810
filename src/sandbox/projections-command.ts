import { findPostgresBinaries } from '../postgres/binaries.ts';
import { osAccount, spawnEnvironment, spawnIdentity } from '../postgres/run-as.ts';
import type { DaemonCommand } from './daemon.ts';
import type { SandboxPaths } from './folders.ts';
import { PortName, portOf, type SandboxState } from './state.ts';
import { PROJECTIONS_NODE } from './topology.ts';

const OS_USER = 'postgres';

/** A small one, that promises what it has written: no replication, nothing that is decided depends on it. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '60',
  shared_buffers: '32MB',
  fsync: 'on',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '256MB',
  min_wal_size: '32MB',
  max_worker_processes: '2',
  max_parallel_workers: '0',
  autovacuum_max_workers: '1',
  dynamic_shared_memory_type: 'posix',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] %a ',
};

/** How the projections' Postgres is started: in the foreground, as its own account. */
export async function projectionsCommand(paths: SandboxPaths, state: SandboxState): Promise<DaemonCommand> {
  const { name } = PROJECTIONS_NODE;
  const [binaries, account] = await Promise.all([findPostgresBinaries(), osAccount(OS_USER)]);
  const settings = { ...SETTINGS, port: String(portOf(state, PortName.projections)) };
  return {
    name,
    program: binaries.path('postgres'),
    args: [
      '-D',
      paths.data(name),
      ...Object.entries(settings).flatMap(([setting, value]) => ['-c', `${setting}=${value}`]),
    ],
    environment: spawnEnvironment(account),
    identity: spawnIdentity(account),
  };
}
