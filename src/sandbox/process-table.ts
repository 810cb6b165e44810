import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { sep } from 'node:path';
import { promisify } from 'node:util';

/** One running process. `startedAt` tells a process from a later one with the same pid; compare it, don't read it. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly startedAt: string;
  /** `T` is stopped, `Z` has ended and waits to be reaped. */
  readonly state: string;
}

export interface ProcessIdentity {
  readonly pid: number;
  readonly startedAt: string;
}

const LIST_TIMEOUT_MS = 10_000;
const run = promisify(execFile);

/** Every process that this user can see. A process that ends meanwhile is left out. */
export async function listProcesses(): Promise<ProcessEntry[]> {
  if (process.platform !== 'linux') return listWithPs();
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const entries = await Promise.all(pids.map((pid) => readProcess(Number(pid))));
  return entries.filter((entry) => entry !== undefined);
}

/** The process with this pid, or undefined when there is none; one that only waits to be reaped counts as none. */
export async function readProcess(pid: number): Promise<ProcessEntry | undefined> {
  if (process.platform !== 'linux') return (await listWithPs()).find((entry) => entry.pid === pid);
  let stat: string;
  try {
    stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The command's name stands in parentheses and may itself hold spaces and parentheses; proc(5).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state = '?', parent = '0'] = fields;
  return state === 'Z' || state === 'X'
    ? undefined
    : { pid, parent: Number(parent), startedAt: fields[19] ?? '', state };
}

/** Whether the very process that was recorded still runs (not another one under its pid). */
export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  return (await readProcess(identity.pid))?.startedAt === identity.startedAt;
}

export interface PlacedProcess extends ProcessEntry {
  /** Its working directory. */
  readonly folder: string;
}

/** Processes whose working directory is `folder` or below it, whoever their parent is now. */
export async function processesUnder(folder: string): Promise<PlacedProcess[]> {
  const entries = await listProcesses();
  const folders = await workingFolders(entries);
  return entries.flatMap((entry) => {
    const own = folders.get(entry.pid);
    return own !== undefined && isWithin(own, folder) ? [{ ...entry, folder: own }] : [];
  });
}

/** Whether a path is this folder or lies below it. */
export const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder + sep);

/** The process's command line for a person to read; empty when it can't be told. */
export async function commandLineOf(pid: number): Promise<string> {
  try {
    if (process.platform === 'linux') {
      return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim();
    }
    return (
      await run('ps', ['-o', 'command=', '-p', String(pid)], { timeout: LIST_TIMEOUT_MS })
    ).stdout.trim();
  } catch {
    return '';
  }
}

async function workingFolders(entries: readonly ProcessEntry[]): Promise<Map<number, string>> {
  if (process.platform !== 'linux') return workingFoldersWithLsof();
  const folders = new Map<number, string>();
  await Promise.all(
    entries.map(async ({ pid }) => {
      try {
        // A removed folder still names its processes: the kernel appends this mark to the old path.
        folders.set(pid, (await readlink(`/proc/${pid}/cwd`)).replace(/ \(deleted\)$/, ''));
      } catch {
        // Another user's process, or one that has just ended.
      }
    }),
  );
  return folders;
}

async function listWithPs(): Promise<ProcessEntry[]> {
  const { stdout } = await run('ps', ['-axo', 'pid=,ppid=,stat=,lstart='], {
    timeout: LIST_TIMEOUT_MS,
    env: { ...process.env, LC_ALL: 'C' },
  });
  return stdout.split('\n').flatMap((line) => {
    const [pid, parent, state, ...startedAt] = line.trim().split(/\s+/);
    if (pid === undefined || parent === undefined || state === undefined || state.startsWith('Z')) return [];
    return [
      {
        pid: Number(pid),
        parent: Number(parent),
        startedAt: startedAt.join(' '),
        state: state.slice(0, 1),
      },
    ];
  });
}

async function workingFoldersWithLsof(): Promise<Map<number, string>> {
  // lsof ends with 1 when it couldn't look at some process, and still prints the others.
  const { stdout } = await run('lsof', ['-n', '-P', '-d', 'cwd', '-F', 'pn'], {
    timeout: LIST_TIMEOUT_MS,
    maxBuffer: 2 ** 26,
  }).catch((error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }));
  const folders = new Map<number, string>();
  let pid = 0;
  for (const line of stdout.split('\n')) {
    if (line.startsWith('p')) pid = Number(line.slice(1));
    if (line.startsWith('n')) folders.set(pid, line.slice(1));
  }
  return folders;
}
