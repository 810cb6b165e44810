import { execFile } from 'node:child_process';
import { readdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { listProcesses } from './process-table.ts';

const POSIX_FOLDER = '/dev/shm';
const IPCRM_TIMEOUT_MS = 5_000;
const run = promisify(execFile);

/**
 * Removes what a Postgres that was killed with -9 leaves in memory: POSIX segments (`PostgreSQL.<n>`) and the small
 * System V segment of its interlock. Only segments of this user that were made after `since` and that no living process
 * has attached; a server that starts later makes its own. Linux only: other systems keep neither in a file tree.
 */
export async function sweepSharedMemory(options: {
  readonly since: Date;
  readonly uid: number;
}): Promise<void> {
  if (process.platform !== 'linux') return;
  await sweepPosix(options);
  await sweepSystemV(options);
}

async function sweepPosix({ since, uid }: { since: Date; uid: number }): Promise<void> {
  const names = (await readdir(POSIX_FOLDER).catch(() => [])).filter((name) =>
    name.startsWith('PostgreSQL.'),
  );
  if (names.length === 0) return;
  const candidates: string[] = [];
  for (const name of names) {
    const path = join(POSIX_FOLDER, name);
    const facts = await stat(path).catch(() => undefined);
    if (facts !== undefined && facts.uid === uid && facts.ctimeMs >= since.getTime()) candidates.push(path);
  }
  const mapped = await mappedFiles();
  for (const path of candidates) if (!mapped.has(path)) await unlink(path).catch(() => undefined);
}

async function mappedFiles(): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const { pid } of await listProcesses()) {
    const maps = await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => '');
    for (const match of maps.matchAll(/\/dev\/shm\/PostgreSQL\.\d+/g)) found.add(match[0]);
  }
  return found;
}

/** Columns of proc_sysvipc_shm(5). */
async function sweepSystemV({ since, uid }: { since: Date; uid: number }): Promise<void> {
  const table = await readFile('/proc/sysvipc/shm', 'utf8').catch(() => '');
  const [header = '', ...rows] = table.trim().split('\n');
  const columns = header.trim().split(/\s+/);
  for (const row of rows) {
    const cells = row.trim().split(/\s+/);
    const cell = (name: string) => Number(cells[columns.indexOf(name)]);
    if (cell('uid') !== uid || cell('nattch') !== 0 || cell('ctime') * 1_000 < since.getTime() - 1_000)
      continue;
    await run('ipcrm', ['-m', String(cell('shmid'))], { timeout: IPCRM_TIMEOUT_MS }).catch(() => undefined);
  }
}
