import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSecret } from '../../config/secrets.ts';
import { unreachableError } from '../../domain/errors.ts';
import { roleName } from '../../postgres/connect-as.ts';
import { connect } from '../../postgres/connection.ts';
import { ownedFolder } from '../../postgres/run-as.ts';
import { startServer } from '../../postgres/server.ts';
import type { AgentContext } from '../context.ts';
import { writeDurably } from '../durable-file.ts';
import { LocalSession, type Session } from '../local-session.ts';
import type { LocalPostgres } from '../local-postgres.ts';
import { readStandbyPosition, type StandbyPosition } from '../standby-position.ts';

const READ_TIMEOUT_MS = 60_000;
/** Crash recovery of a large log takes its time. */
const OPEN_TIMEOUT_MS = 240_000;
const STOP_STEP_MS = 30_000;
const POLL_MS = 50;

/**
 * Opens data that must never serve again as a standby that receives nothing and listens on a socket in a folder of its own,
 * replays all that is there, lets it be read, and ends it cleanly. As a primary it would write, and cut off what is to be kept.
 */
export async function withShutData<T>(
  context: AgentContext,
  postgres: LocalPostgres,
  signal: AbortSignal,
  read: (session: Session, end: StandbyPosition) => Promise<T>,
): Promise<T> {
  const { config, files, account, binaries } = context;
  await postgres.stop('fast');
  await postgres.markStandby();
  await postgres.writeUpstream(null);
  await postgres.writeConfig();
  const folder = await mkdtemp(join(tmpdir(), 'capstan-'));
  const hbaFile = `${files.hba}.shut`;
  let session: LocalSession | undefined;
  try {
    await ownedFolder(folder, account);
    await writeDurably(hbaFile, `local all ${roleName('superuser')} scram-sha-256\n`, account);
    const server = await startServer({
      binaries,
      dataDir: files.dataDir,
      configFile: files.config,
      hbaFile,
      identFile: files.ident,
      logFile: files.log,
      osUser: config.postgres.osUser,
      settings: { listen_addresses: '', unix_socket_directories: folder, port: String(SOCKET_PORT) },
      detached: true,
    });
    session = await openSession(context, folder);
    const end = await replayedAll({
      context,
      postgres,
      session,
      signal,
      ended: () => server.exit !== undefined,
    });
    return await read(session, end);
  } finally {
    await session?.close();
    await postgres.stop('fast', STOP_STEP_MS);
    await rm(folder, { recursive: true, force: true });
    await rm(hbaFile, { force: true });
  }
}

/** Of the socket's name only. */
const SOCKET_PORT = 5432;

async function openSession({ config }: AgentContext, folder: string): Promise<LocalSession> {
  const password = await readSecret(config.postgres.passwords.superuser, 'postgres.passwords.superuser');
  const open = () =>
    connect({
      host: folder,
      port: SOCKET_PORT,
      user: roleName('superuser'),
      password,
      database: config.postgres.database,
      tls: { mode: 'disable' },
      applicationName: 'capstan-agent salvage',
      connectTimeoutMs: 2_000,
      statementTimeoutMs: READ_TIMEOUT_MS,
      lockTimeoutMs: 0,
    });
  return new LocalSession({ open, timeoutMs: READ_TIMEOUT_MS });
}

async function replayedAll(about: {
  readonly context: AgentContext;
  readonly postgres: LocalPostgres;
  readonly session: Session;
  readonly signal: AbortSignal;
  readonly ended: () => boolean;
}): Promise<StandbyPosition> {
  const { context, postgres, session, signal, ended } = about;
  const { clock } = context;
  const deadline = clock.monotonicMs() + OPEN_TIMEOUT_MS;
  for (;;) {
    const before = await readStandbyPosition(session).catch(() => undefined);
    if (before !== undefined && !(await postgres.hasRecordAfter(before))) {
      const after = await readStandbyPosition(session);
      if (after.lsn === before.lsn && after.timeline === before.timeline) return after;
    }
    if (ended() || signal.aborted || clock.monotonicMs() > deadline) {
      throw unreachableError('the shut data could not be opened for reading; its log says why', {
        code: 'salvage_failed',
      });
    }
    await clock.sleep(POLL_MS, signal);
  }
}
