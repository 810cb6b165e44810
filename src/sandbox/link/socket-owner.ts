import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';

const LSOF_TIMEOUT_MS = 5_000;
const run = promisify(execFile);

export interface LoopbackConnection {
  readonly clientPort: number;
  readonly serverPort: number;
}

/** The process that holds the client's end of a connection; undefined when none of those looked at does (yet). */
export type SocketOwners = (connection: LoopbackConnection) => number | undefined;

/**
 * Looks once at all that these processes hold on 127.0.0.1. A look costs more the more connections the machine has, so it
 * should serve many. Linux: proc_net_tcp(5) gives each socket's inode, /proc/<pid>/fd its holder. Elsewhere: lsof.
 */
export async function lookAtSockets(pids: readonly number[]): Promise<SocketOwners> {
  if (process.platform !== 'linux') return lookWithLsof(pids);
  // The table first: what is in it is held by somebody by the time that the holders are asked.
  const inodes = inodesIn(await readFile('/proc/net/tcp', 'utf8'));
  const holders = new Map<string, number>();
  for (const pid of pids) for (const inode of await socketsOf(pid)) holders.set(inode, pid);
  return (connection) => {
    const inode = inodes.get(keyOf(connection));
    return inode === undefined ? undefined : holders.get(inode);
  };
}

const keyOf = ({ clientPort, serverPort }: LoopbackConnection): string => `${clientPort} ${serverPort}`;

const LOOPBACK = '0100007F';

function inodesIn(table: string): Map<string, string> {
  const inodes = new Map<string, string>();
  for (const line of table.split('\n')) {
    const [, local = '', remote = '', , , , , , , inode = '0'] = line.trim().split(/\s+/);
    // What has ended and only waits has no inode.
    if (inode === '0' || !local.startsWith(LOOPBACK) || !remote.startsWith(LOOPBACK)) continue;
    inodes.set(keyOf({ clientPort: portIn(local), serverPort: portIn(remote) }), inode);
  }
  return inodes;
}

const portIn = (address: string): number => Number.parseInt(address.slice(address.indexOf(':') + 1), 16);

async function socketsOf(pid: number): Promise<string[]> {
  let descriptors: string[];
  try {
    descriptors = await readdir(`/proc/${pid}/fd`);
  } catch {
    return [];
  }
  const targets = await Promise.all(
    descriptors.map((descriptor) => readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')),
  );
  return targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []);
}

async function lookWithLsof(pids: readonly number[]): Promise<SocketOwners> {
  // lsof ends with 1 when nothing matches.
  const { stdout } = await run('lsof', ['-n', '-P', '-a', '-p', pids.join(','), '-iTCP', '-F', 'pn'], {
    timeout: LSOF_TIMEOUT_MS,
  }).catch(() => ({ stdout: '' }));
  const owners = new Map<string, number>();
  let pid = 0;
  for (const line of stdout.split('\n')) {
    if (line.startsWith('p')) pid = Number(line.slice(1));
    const [, client, server] = /:(\d+)->127\.0\.0\.1:(\d+)$/.exec(line) ?? [];
    if (client !== undefined && server !== undefined) owners.set(`${client} ${server}`, pid);
  }
  return (connection) => owners.get(keyOf(connection));
}
