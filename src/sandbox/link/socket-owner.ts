import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';

const LSOF_TIMEOUT_MS = 5_000;
const run = promisify(execFile);

export interface LoopbackConnection {
  readonly clientPort: number;
  readonly serverPort: number;
}

/**
 * Which of these processes holds the client's end of a connection on 127.0.0.1; undefined when none of them does (yet).
 * Linux: proc_net_tcp(5) gives the socket's inode, /proc/<pid>/fd its holder. Elsewhere: lsof.
 */
export async function ownerOfClientSocket(
  connection: LoopbackConnection,
  pids: readonly number[],
): Promise<number | undefined> {
  if (process.platform !== 'linux') return ownerByLsof(connection, pids);
  const inode = inodeOf(await readFile('/proc/net/tcp', 'utf8'), connection);
  if (inode === undefined) return undefined;
  for (const pid of pids) if (await holdsSocket(pid, inode)) return pid;
  return undefined;
}

function inodeOf(table: string, { clientPort, serverPort }: LoopbackConnection): string | undefined {
  const local = `0100007F:${hexPort(clientPort)}`;
  const remote = `0100007F:${hexPort(serverPort)}`;
  for (const line of table.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === local && fields[2] === remote) return fields[9];
  }
  return undefined;
}

const hexPort = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');

async function holdsSocket(pid: number, inode: string): Promise<boolean> {
  let descriptors: string[];
  try {
    descriptors = await readdir(`/proc/${pid}/fd`);
  } catch {
    return false;
  }
  const wanted = `socket:[${inode}]`;
  const targets = await Promise.all(
    descriptors.map((descriptor) => readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')),
  );
  return targets.includes(wanted);
}

async function ownerByLsof(
  { clientPort, serverPort }: LoopbackConnection,
  pids: readonly number[],
): Promise<number | undefined> {
  // lsof ends with 1 when nothing matches.
  const { stdout } = await run('lsof', ['-n', '-P', `-iTCP:${clientPort}`, '-F', 'pn'], {
    timeout: LSOF_TIMEOUT_MS,
  }).catch(() => ({ stdout: '' }));
  let pid = 0;
  for (const line of stdout.split('\n')) {
    if (line.startsWith('p')) pid = Number(line.slice(1));
    if (line.endsWith(`:${clientPort}->127.0.0.1:${serverPort}`) && pids.includes(pid)) return pid;
  }
  return undefined;
}
