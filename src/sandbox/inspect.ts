import { type DaemonRecord, readDaemonRecord } from './daemon.ts';
import type { SandboxPaths } from './folders.ts';
import { isWithin, listProcesses, type PlacedProcess, processesUnder } from './process-table.ts';
import { nodesOf, readSandboxState } from './state.ts';
import type { Node } from './topology.ts';

/**
 * - `running`, `paused`: the process that Capstan started.
 * - `orphaned`: it has ended, and something that it started still runs (a Postgres whose agent was killed).
 * - `stopped`: nothing of it runs.
 */
export type ProcessState = 'running' | 'paused' | 'orphaned' | 'stopped';

export interface InspectedProcess {
  readonly node: Node;
  readonly state: ProcessState;
  /** The recorded process, while it runs. */
  readonly daemon: DaemonRecord | undefined;
  /** Everything in its folder, itself included. */
  readonly all: readonly PlacedProcess[];
  /** A member's Postgres, or the projections', and its backends. */
  readonly postgres: readonly PlacedProcess[];
}

/** What runs of each process of the sandbox, read from the system and not from memory. */
export async function inspectProcesses(paths: SandboxPaths): Promise<InspectedProcess[]> {
  // One whose state can't be read still has processes to be found.
  const nodes = nodesOf(await readSandboxState(paths).catch(() => undefined));
  const [placed, table, records] = await Promise.all([
    processesUnder(paths.folder),
    listProcesses(),
    Promise.all(nodes.map(({ name }) => readDaemonRecord(paths, name))),
  ]);
  return nodes.map((node, index) => {
    const all = placed.filter(({ folder }) => isWithin(folder, paths.home(node.name)));
    const record = records[index];
    const main = table.find(({ pid, startedAt }) => pid === record?.pid && startedAt === record.startedAt);
    return {
      node,
      state: main === undefined ? (all.length > 0 ? 'orphaned' : 'stopped') : stateOf(main.state),
      daemon: main === undefined ? undefined : record,
      all,
      postgres:
        node.kind === 'member' || node.kind === 'projections'
          ? all.filter(({ folder }) => isWithin(folder, paths.data(node.name)))
          : [],
    };
  });
}

const stateOf = (letter: string): ProcessState => (/^[Tt]/.test(letter) ? 'paused' : 'running');

/** A member's Postgres: `paused` as soon as one of its processes is. */
export function postgresStateOf({ postgres }: InspectedProcess): Exclude<ProcessState, 'orphaned'> {
  if (postgres.length === 0) return 'stopped';
  return postgres.some(({ state }) => stateOf(state) === 'paused') ? 'paused' : 'running';
}
