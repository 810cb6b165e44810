import { existsSync } from 'node:fs';
import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadEstateConfig } from '../config/estate-config.ts';
import { Keys } from '../controlplane/keys.ts';
import { etcdReaderFromConfig } from '../etcd/from-config.ts';
import { findPostgresBinaries } from '../postgres/binaries.ts';
import { initDatabase } from '../postgres/init-database.ts';
import { osAccount } from '../postgres/run-as.ts';
import { initProjections } from '../projections/init.ts';
import { listProjectors } from '../projections/roll.ts';
import type { SandboxPaths } from './folders.ts';
import { readSecretFile } from './secrets.ts';
import { awaitCondition, type AwaitOptions, startProcesses } from './start.ts';
import { hasProjections, type SandboxState } from './state.ts';
import { GATEWAY_NODES, type Node, PROJECTIONS_NODE, PROJECTOR_NODES } from './topology.ts';

const OS_USER = 'postgres';

export type BringProjectionsUp = Pick<AwaitOptions, 'paths' | 'deadline' | 'signal'> & {
  readonly state: SandboxState;
};

/**
 * The projections' Postgres with its database, roles and tables; what is there stays. Returns the names of what it started. Throws
 * what `initDatabase`, `awaitCondition` and `initProjections` throw.
 */
export async function bringProjectionsUp(waiting: BringProjectionsUp): Promise<string[]> {
  const { paths, state } = waiting;
  if (!hasProjections(state)) return [];
  await makeData(paths);
  const started = await startProcesses({ paths, state, nodes: [PROJECTIONS_NODE] });
  const config = await loadEstateConfig(paths.config);
  await awaitCondition({
    ...waiting,
    what: 'the projections’ Postgres',
    needs: [PROJECTIONS_NODE],
    check: async () => {
      await initProjections({ config });
      return true;
    },
  });
  return started;
}

/** Waits until each projector has its share of the shards. */
export async function awaitProjectors(waiting: Omit<BringProjectionsUp, 'state'>): Promise<void> {
  const config = await loadEstateConfig(waiting.paths.config);
  const etcd = await etcdReaderFromConfig(config);
  try {
    await awaitCondition({
      ...waiting,
      what: 'the projectors',
      needs: PROJECTOR_NODES,
      check: async () => {
        const living = await listProjectors(etcd, new Keys(config.estate));
        const missing = PROJECTOR_NODES.filter(({ region }) => !living.some(({ name }) => name === region));
        return missing.length === 0 ? true : `${missing.map(({ name }) => name).join(', ')} not heard of yet`;
      },
    });
  } finally {
    etcd.close();
  }
}

/** A projector that starts before its database waits for it. */
export const daemonsOf = (state: SandboxState): readonly Node[] => [
  ...GATEWAY_NODES,
  ...(hasProjections(state) ? PROJECTOR_NODES : []),
];

/** The mark comes last: what an ended run has left half made is made anew. */
async function makeData(paths: SandboxPaths): Promise<void> {
  const { name } = PROJECTIONS_NODE;
  const mark = join(paths.home(name), 'made');
  if (existsSync(mark)) return;
  await rm(paths.data(name), { recursive: true, force: true });
  await mkdir(paths.home(name), { recursive: true, mode: 0o755 });
  const account = await osAccount(OS_USER);
  if (account !== undefined) await chown(paths.home(name), account.uid, account.gid);
  await initDatabase({
    binaries: await findPostgresBinaries(),
    dataDir: paths.data(name),
    osUser: OS_USER,
    superuserPassword: await readSecretFile(paths, 'projections_superuser'),
  });
  await writeFile(mark, '');
}
