import { chown, copyFile, mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadContract } from '../config/contract.ts';
import { refusedError } from '../domain/errors.ts';
import { osAccount } from '../postgres/run-as.ts';
import { estateYaml } from './estate-file.ts';
import { withFileLock } from './file-lock.ts';
import { sandboxesFolder, type SandboxPaths } from './folders.ts';
import { readIssuersFile, shippedIssuersFile } from './issuers.ts';
import { findFreePorts } from './ports.ts';
import { writeSecrets } from './secrets.ts';
import { portNames, portsLock, recordedPorts, type SandboxState, writeJson } from './state.ts';
import { ETCD_NODES, MEMBER_NODES, type MemberNode } from './topology.ts';

const PORTS_LOCK_WAIT_MS = 10_000;
const POSTGRES_OS_USER = 'postgres';

export interface PrepareOptions {
  readonly paths: SandboxPaths;
  readonly issuersFile: string | undefined;
  readonly contractFile: string | undefined;
  readonly wanDelayMs: number;
  readonly memberLinks: boolean;
}

/**
 * Makes a sandbox's folder: configuration, secrets, seed and ports. `state.json` is written last: without it nothing
 * was made, and the next `up` makes it all again.
 */
export async function prepareSandbox(options: PrepareOptions): Promise<SandboxState> {
  const { paths, wanDelayMs, memberLinks } = options;
  const contractFile = options.contractFile ?? shippedContractFile();
  const issuersFile = options.issuersFile ?? shippedIssuersFile();
  await loadContract(contractFile);
  await readIssuersFile(issuersFile);
  const account = await osAccount(POSTGRES_OS_USER);
  await mkdir(paths.folder, { recursive: true, mode: 0o755 });
  if (account !== undefined) await demandEnterable(paths.folder);
  for (const { name } of ETCD_NODES) await mkdir(paths.home(name), { recursive: true, mode: 0o755 });
  await makeMemberFolders(paths, MEMBER_NODES);
  await copyFile(contractFile, paths.contract);
  await copyFile(issuersFile, paths.issuers);
  await writeSecrets(paths);
  return withFreePorts(portNames({ memberLinks }), async (ports) => {
    const state: SandboxState = {
      version: 1,
      name: paths.name,
      createdAt: new Date().toISOString(),
      wanDelayMs,
      ports,
    };
    await writeFile(paths.config, estateYaml(state), { mode: 0o644 });
    await writeJson(paths.state, state);
    return state;
  });
}

/** Finds a free port for each use, and keeps other sandboxes from taking it until `use` has recorded them. */
export function withFreePorts<T>(
  names: readonly string[],
  use: (ports: Readonly<Record<string, number>>) => Promise<T>,
): Promise<T> {
  const lock = { path: portsLock(), waitMs: PORTS_LOCK_WAIT_MS, what: 'the list of ports' };
  return withFileLock(lock, async () => {
    const free = await findFreePorts(names.length, await recordedPorts());
    return use(Object.fromEntries(names.map((name, index) => [name, free[index] ?? 0])));
  });
}

/** Postgres's account owns what its members work in. */
export async function makeMemberFolders(paths: SandboxPaths, nodes: readonly MemberNode[]): Promise<void> {
  const account = await osAccount(POSTGRES_OS_USER);
  for (const { name } of nodes) {
    await mkdir(paths.home(name), { recursive: true, mode: 0o755 });
    if (account !== undefined) await chown(paths.home(name), account.uid, account.gid);
  }
}

const shippedContractFile = (): string => fileURLToPath(new URL('../../contract.yaml', import.meta.url));

/** As root, Postgres runs under its own account, which must be able to walk down to its data. */
async function demandEnterable(folder: string): Promise<void> {
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    const { mode } = await stat(at);
    if ((mode & 0o001) === 0) {
      throw refusedError(`the user ${POSTGRES_OS_USER} can't enter ${at}, so Postgres can't run below it`, {
        code: 'state_folder_closed',
        next: `choose another folder with CAPSTAN_STATE_DIR (now: ${sandboxesFolder()}), or chmod o+x ${at}`,
      });
    }
  }
}
