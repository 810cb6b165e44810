import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type InspectedProcess, inspectProcesses } from '../../../sandbox/inspect.ts';
import type { PlacedProcess } from '../../../sandbox/process-table.ts';
import { NothingToInjectInto } from './nothing.ts';
import { type Held, inspectProcess } from './processes.ts';
import type { Site } from './site.ts';

const run = promisify(execFile);
const ROUNDS_MAX = 20;
const UNLIMITED = 'unlimited:unlimited';

/**
 * From now on every write of a member to any file fails, as on a disk that is full: its agent's and its Postgres's, and
 * those of all that they start. The limit is the system's own for a process (RLIMIT_FSIZE, setrlimit(2)); both programs
 * ignore the signal that comes with it, so a write answers EFBIG.
 */
export async function holdFull(site: Site, member: string): Promise<Held> {
  const limited = new Set<number>();
  const release = async () => lift((await inspectProcess(site, member)).all);
  // What was forked meanwhile has inherited the limit, or is found in the next round.
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const { all } = await inspectProcess(site, member);
    if (all.length === 0) throw new NothingToInjectInto(`${member} is down already`);
    const fresh: PlacedProcess[] = [];
    for (const one of all) if (!(await isFull(one))) fresh.push(one);
    if (fresh.length === 0) return { pids: [...limited], release };
    for (const { pid } of fresh) if (await limit(pid, '0:unlimited')) limited.add(pid);
  }
  await release();
  throw new Error(`${member} forks faster than its processes can be limited`);
}

/** Gives every member of the sandbox its disk back; answers whose it was. */
export async function emptyDisks({ paths }: Pick<Site, 'paths'>): Promise<readonly string[]> {
  const lifted: string[] = [];
  for (const one of await inspectProcesses(paths)) {
    if (!(await hasFullDisk(one))) continue;
    await lift(one.all);
    lifted.push(one.node.name);
  }
  return lifted;
}

export async function hasFullDisk({ node, all }: InspectedProcess): Promise<boolean> {
  if (node.kind !== 'member') return false;
  for (const one of all) if (await isFull(one)) return true;
  return false;
}

async function lift(processes: readonly PlacedProcess[]): Promise<void> {
  for (const one of processes) if (await isFull(one)) await limit(one.pid, UNLIMITED);
}

const isFull = async ({ pid }: PlacedProcess): Promise<boolean> =>
  /^Max file size\s+0\s/m.test(await readFile(`/proc/${pid}/limits`, 'utf8').catch(() => ''));

/** False: the process has ended meanwhile. */
async function limit(pid: number, fileSize: string): Promise<boolean> {
  try {
    // As its own user: root may not reach over to another's process everywhere.
    const { uid, gid } = await stat(`/proc/${pid}`);
    await run('prlimit', ['--pid', String(pid), `--fsize=${fileSize}`], { uid, gid });
    return true;
  } catch (error) {
    if ((await readFile(`/proc/${pid}/limits`, 'utf8').catch(() => '')) === '') return false;
    throw error;
  }
}
