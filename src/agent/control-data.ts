import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { parseLsn } from '../domain/lsn.ts';
import { spawnEnvironment, spawnIdentity } from '../postgres/run-as.ts';
import type { AgentContext } from './context.ts';
import type { ControlData } from './member-postgres.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 10_000;

/** Reads the control file with pg_controldata. Throws when it can't be read. */
export async function readControlData(
  context: Pick<AgentContext, 'binaries' | 'files' | 'account'>,
): Promise<ControlData> {
  const { binaries, files, account } = context;
  const { stdout } = await run(binaries.path('pg_controldata'), ['-D', files.dataDir], {
    ...spawnIdentity(account),
    env: { ...spawnEnvironment(account), LC_ALL: 'C' },
    cwd: '/',
    timeout: TIMEOUT_MS,
  });
  return parseControlData(stdout);
}

/** Reads what pg_controldata prints in the C locale. Throws when a line that is needed is missing. */
export function parseControlData(text: string): ControlData {
  const value = (label: string): string => {
    const line = text.split('\n').find((candidate) => candidate.startsWith(`${label}:`));
    if (line === undefined) throw new Error(`pg_controldata does not tell: ${label}`);
    return line.slice(label.length + 1).trim();
  };
  const checkpointLsn = value('Latest checkpoint location');
  const timeline = Number(value("Latest checkpoint's TimeLineID"));
  if (parseLsn(checkpointLsn) === undefined || !Number.isSafeInteger(timeline))
    throw new Error(`pg_controldata tells no checkpoint: ${checkpointLsn} on ${timeline}`);
  // A standby that was stopped says `shut down in recovery`.
  return { cleanlyShutDown: value('Database cluster state') === 'shut down', checkpointLsn, timeline };
}
