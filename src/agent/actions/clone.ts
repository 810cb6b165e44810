import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { unreachableError } from '../../domain/errors.ts';
import { ownedFolder, spawnEnvironment, spawnIdentity } from '../../postgres/run-as.ts';
import type { AgentContext } from '../context.ts';
import { newIncarnation } from '../incarnation.ts';
import type { LocalPostgres } from '../local-postgres.ts';

const run = promisify(execFile);
/** A clone of a large cluster takes hours; it ends early when the authority changes. */
const CLONE_TIMEOUT_MS = 24 * 3_600_000;

/** Copies the leader's data directory. What is killed halfway is thrown away and begun anew. */
export async function clone(
  context: AgentContext,
  postgres: LocalPostgres,
  { leader, signal }: { readonly leader: string; readonly signal: AbortSignal },
): Promise<void> {
  const { clock, memory, files, binaries, account, logger } = context;
  await memory.update({ building: 'clone', incarnation: newIncarnation(clock) });
  await postgres.writeConfig();
  await ownedFolder(files.dataDir, account);
  const args = [
    ['--pgdata', files.dataDir],
    ['--dbname', await postgres.conninfoOf(leader, `${postgres.ownName()}_clone`)],
    ['--wal-method', 'stream'],
    ['--checkpoint', 'fast'],
    ['--no-password'],
  ].flat();
  logger.info({ leader, incarnation: memory.value.incarnation }, 'cloning');
  try {
    await run(binaries.path('pg_basebackup'), args, {
      ...spawnIdentity(account),
      env: spawnEnvironment(account),
      cwd: '/',
      timeout: CLONE_TIMEOUT_MS,
      signal,
    });
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    throw unreachableError(`cloning from ${leader} failed: ${stderr.trim().split('\n').at(-1) ?? ''}`, {
      code: 'clone_failed',
      cause: error,
    });
  }
  await postgres.markStandby();
  await postgres.writeUpstream(null);
  await memory.update({
    building: null,
    opened: 'standby',
    ledTerm: 0,
    promotingTerm: null,
    handedOver: null,
  });
  logger.info({ leader }, 'cloned');
}
