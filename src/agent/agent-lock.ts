import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type CapstanError, refusedError } from '../domain/errors.ts';
import { readIfThere } from './durable-file.ts';
import { isAlive } from './postmaster.ts';

/** A process, told from a later one that has its pid: also from one after a restart of the host. */
interface Holder {
  readonly pid: number;
  readonly startedAt: string;
}

const PS_TIMEOUT_MS = 2_000;

/**
 * Takes the lock that admits one agent to a data directory, for the life of this process. A holder that is stopped (SIGSTOP)
 * holds it; one that has ended doesn't. Throws `agent_already_runs` (exit 4), naming the holder's pid.
 */
export async function lockAgent(path: string): Promise<AsyncDisposable> {
  const startedAt = await startOf(process.pid);
  if (startedAt === undefined) throw new Error('when this process started can not be read');
  const draft = `${path}.${randomUUID()}.tmp`;
  await writeFile(draft, `${JSON.stringify({ pid: process.pid, startedAt } satisfies Holder)}\n`, {
    flag: 'wx',
    mode: 0o600,
  });
  try {
    await take(path, draft);
  } finally {
    await unlink(draft);
  }
  return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
}

/**
 * Makes `path` a link to the draft. Whoever finds a dead holder there first takes the lock of that holder's succession: so
 * nobody replaces a successor that he didn't see.
 */
async function take(path: string, draft: string): Promise<void> {
  for (;;) {
    if (await linked(draft, path)) return;
    const held = await readIfThere(path);
    if (held === undefined) continue;
    const holder = parseHolder(held);
    if (holder !== undefined && (await lives(holder))) throw alreadyRuns(path, holder);
    // A lock appears whole: one that can't be read was torn by a crash of the host, and its holder has ended.
    const name = holder === undefined ? 'torn' : `${holder.pid}-${holder.startedAt.replaceAll(/\W+/g, '-')}`;
    const succession = `${path}.${name}`;
    await take(succession, draft);
    if ((await readIfThere(path)) === held) {
      await rename(succession, path);
      return;
    }
    await unlink(succession);
  }
}

async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function lives({ pid, startedAt }: Holder): Promise<boolean> {
  if (!(await isAlive(pid))) return false;
  const found = await startOf(pid);
  // One whose start can't be read is believed to be the holder.
  return found === undefined || found === startedAt;
}

async function startOf(pid: number): Promise<string | undefined> {
  try {
    if (process.platform !== 'linux') {
      const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)], {
        timeout: PS_TIMEOUT_MS,
        env: { ...process.env, LC_ALL: 'C' },
      });
      return stdout.trim() === '' ? undefined : stdout.trim();
    }
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // proc(5): the 22nd field, in ticks since the host's start; the name in parentheses may itself hold spaces.
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    return ticks === undefined ? undefined : `${boot.trim()}/${ticks}`;
  } catch {
    return undefined;
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, startedAt } = JSON.parse(text) as Partial<Holder>;
    return Number.isSafeInteger(pid) && pid !== undefined && pid > 0 && typeof startedAt === 'string'
      ? { pid, startedAt }
      : undefined;
  } catch {
    return undefined;
  }
}

const alreadyRuns = (path: string, { pid }: Holder): CapstanError =>
  refusedError(`process ${pid} is the agent of this data directory already`, {
    code: 'agent_already_runs',
    next: `end process ${pid}, or check that no two members of capstan.yaml share a data directory`,
    data: { pid, lock: path },
  });
