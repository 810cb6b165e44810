import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { unreachableError } from '../../domain/errors.ts';
import { spawnEnvironment, spawnIdentity } from '../../postgres/run-as.ts';
import { askLeader } from '../ask-leader.ts';
import type { AgentContext } from '../context.ts';
import type { LocalPostgres } from '../local-postgres.ts';
import { whyMisled } from '../same-log.ts';

const run = promisify(execFile);
const REWIND_TIMEOUT_MS = 12 * 3_600_000;

/**
 * pg_rewind compares what the control files say of the timelines, and the source's says it only after a checkpoint. Throws
 * what the leader's connection throws, and `source_not_ready` (exit 7).
 */
export async function demandSource(
  context: AgentContext,
  postgres: LocalPostgres,
  leader: string,
): Promise<void> {
  const { timeline } = await postgres.historyOf(leader);
  const shown = await askLeader(context, leader, async (client) => {
    const ask = () =>
      client.query<{ timeline: number }>('select timeline_id as timeline from pg_control_checkpoint()');
    const before = (await ask()).rows[0]?.timeline;
    if (before === timeline) return before;
    await client.query('set statement_timeout = 0');
    await client.query('checkpoint');
    return (await ask()).rows[0]?.timeline;
  });
  if (shown === timeline) return;
  throw unreachableError(
    `${leader} is on timeline ${timeline}, its control file still on ${shown ?? 'none'}`,
    {
      code: 'source_not_ready',
    },
  );
}

/** Runs pg_rewind on data that is shut; answers why it isn't to be relied on, or undefined. */
export async function rewind(
  context: AgentContext,
  postgres: LocalPostgres,
  { leader, signal }: { readonly leader: string; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const { binaries, files, account, config, logger } = context;
  const misled = await whyMisled(context, leader);
  if (misled !== undefined) return misled;
  const database = config.postgres.database.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
  const conninfo = await postgres.conninfoOf(leader, `${postgres.ownName()}_rewind`);
  const source = `${conninfo} dbname='${database}'`;
  const args = ['--target-pgdata', files.dataDir, '--source-server', source, '--no-ensure-shutdown'];
  try {
    const { stdout, stderr } = await run(binaries.path('pg_rewind'), args, {
      ...spawnIdentity(account),
      env: { ...spawnEnvironment(account), LC_ALL: 'C' },
      cwd: '/',
      timeout: REWIND_TIMEOUT_MS,
      signal,
    });
    const said = `${stdout}\n${stderr}`;
    logger.info({ said: said.trim().split('\n') }, 'pg_rewind has ended');
    return judgeRewind(said);
  } catch (error) {
    const { stderr = '', message = '' } = error as { stderr?: string; message?: string };
    const last = (stderr.trim() === '' ? message : stderr).trim().split('\n').at(-1) ?? '';
    return `pg_rewind failed: ${last}`;
  }
}

/** Also with exit 0 it may have done nothing, right after a promotion; only its last word counts. */
export function judgeRewind(said: string): string | undefined {
  if (/no rewind required/.test(said)) return 'pg_rewind says that no rewind is required';
  return /Done!/.test(said) ? undefined : 'pg_rewind did not say that it is done';
}
