import { setTimeout as delay } from 'node:timers/promises';
import { refusedError, unknownError, usageError } from '../domain/errors.ts';
import { signalAll, waitForEnd } from './daemon.ts';
import { withFileLock } from './file-lock.ts';
import { sandboxLock, type SandboxPaths } from './folders.ts';
import { inspectProcesses, type InspectedProcess } from './inspect.ts';
import { isRunning, type PlacedProcess, readProcess } from './process-table.ts';
import { startProcesses } from './start.ts';
import { nodesOf, requireSandboxState, type SandboxState } from './state.ts';
import type { Node } from './topology.ts';

const END_MS = 10_000;
const ROUND_MS = 1_000;
const PAUSE_MS = 5_000;
const LOCK_WAIT_MS = 15_000;

/** Which half of a member: its Postgres with all backends, or its agent alone. Undefined: the whole host. */
export type MemberPart = 'postgres' | 'agent';

export interface ProcessOrder {
  readonly paths: SandboxPaths;
  readonly process: string;
  readonly only: MemberPart | undefined;
}

export interface ProcessOutcome {
  readonly process: string;
  readonly only: MemberPart | null;
  readonly changed: boolean;
  readonly pids: readonly number[];
}

/** The process of this name. Throws CapstanError `process_unknown` (exit 4) that lists the names. */
function nodeNamed(state: SandboxState, name: string): Node {
  const nodes = nodesOf(state);
  const node = nodes.find((one) => one.name === name);
  if (node !== undefined) return node;
  throw refusedError(`there is no process ${JSON.stringify(name)} in a sandbox`, {
    code: 'process_unknown',
    next: `processes: ${nodes.map((one) => one.name).join(', ')}`,
    data: { processes: nodes.map((one) => one.name) },
  });
}

/**
 * Sends a signal to a process; a member's name means its whole host at once: agent, Postgres, backends. SIGKILL reaches
 * every one of them, any other signal the agent and the postmaster. With a signal that ends processes it waits until
 * they have ended (`process_still_running`, exit 5).
 */
export async function killProcess(
  order: ProcessOrder & { readonly signal: NodeJS.Signals },
): Promise<ProcessOutcome> {
  const { signal } = order;
  const found = await targetsOf(order);
  const targets = signal === 'SIGKILL' ? found.all : found.heads;
  await signalAll(targets, signal);
  if (signal === 'SIGKILL') await killRest(order);
  else if (['SIGTERM', 'SIGINT', 'SIGQUIT'].includes(signal)) {
    // A stopped process acts on no other signal before it goes on.
    await signalAll(found.all, 'SIGCONT');
    const left = await waitForEnd(found.all, END_MS);
    if (left.length > 0) throw stillRunning(order, left);
  }
  return outcome(order, targets);
}

/** What was being forked while its family was killed is killed too. */
async function killRest(order: ProcessOrder): Promise<void> {
  const deadline = performance.now() + END_MS;
  for (;;) {
    const { all } = await targetsOf(order);
    if (all.length === 0) return;
    if (performance.now() > deadline) throw stillRunning(order, all);
    await signalAll(all, 'SIGKILL');
    await waitForEnd(all, ROUND_MS);
  }
}

const stillRunning = ({ process: name, paths }: ProcessOrder, left: readonly PlacedProcess[]): Error =>
  unknownError(`${name} does not end`, {
    code: 'process_still_running',
    next: `capstan sandbox status --name ${paths.name}`,
    data: { pids: left.map(({ pid }) => pid) },
  });

/** SIGSTOP for all of it, until no process of it moves: a backend that was being forked meanwhile is caught too. */
export async function pauseProcess(order: ProcessOrder): Promise<ProcessOutcome> {
  const stopped = new Map<number, PlacedProcess>();
  const deadline = performance.now() + PAUSE_MS;
  for (;;) {
    const { all } = await targetsOf(order);
    const moving = all.filter(({ state }) => !/^[Tt]/.test(state));
    if (moving.length === 0) return outcome(order, [...stopped.values()]);
    if (performance.now() > deadline) {
      throw unknownError(`${order.process} does not stand still`, {
        code: 'process_still_running',
        next: `capstan sandbox status --name ${order.paths.name}`,
      });
    }
    await signalAll(moving, 'SIGSTOP');
    for (const one of moving) stopped.set(one.pid, one);
    await delay(5);
  }
}

/** SIGCONT for all of it. */
export async function resumeProcess(order: ProcessOrder): Promise<ProcessOutcome> {
  const { all } = await targetsOf(order);
  const paused = all.filter(({ state }) => /^[Tt]/.test(state));
  await signalAll(paused, 'SIGCONT');
  await Promise.all(paused.map(awaitMoving));
  return outcome(order, paused);
}

async function awaitMoving(target: PlacedProcess): Promise<void> {
  const deadline = performance.now() + PAUSE_MS;
  while (performance.now() < deadline && (await isRunning(target))) {
    const now = await readProcess(target.pid);
    if (now === undefined || !/^[Tt]/.test(now.state)) return;
    await delay(5);
  }
}

/** Starts a process that was killed or stopped; one that runs stays as it is. */
export async function startProcess(order: Omit<ProcessOrder, 'only'>): Promise<ProcessOutcome> {
  const { paths } = order;
  const state = await requireSandboxState(paths);
  const node = nodeNamed(state, order.process);
  const lock = { path: sandboxLock(paths.name), waitMs: LOCK_WAIT_MS, what: `the sandbox ${paths.name}` };
  const changed = await withFileLock(lock, () => startProcesses({ paths, state, nodes: [node] }));
  const inspected = (await inspectProcesses(paths)).find((one) => one.node.name === node.name);
  return {
    process: node.name,
    only: null,
    changed: changed.length > 0,
    pids: inspected?.daemon === undefined ? [] : [inspected.daemon.pid],
  };
}

interface Targets {
  readonly all: readonly PlacedProcess[];
  /** The ones that a gentle signal goes to. */
  readonly heads: readonly PlacedProcess[];
}

async function targetsOf({ paths, process: name, only }: ProcessOrder): Promise<Targets> {
  const node = nodeNamed(await requireSandboxState(paths), name);
  if (only !== undefined && node.kind !== 'member') {
    throw usageError(`--only ${only} is for members; ${name} is one process`, {
      code: 'flags_conflict',
      next: `leave --only out, or name a member: capstan sandbox status --name ${paths.name}`,
    });
  }
  const found = (await inspectProcesses(paths)).find((one) => one.node.name === name);
  if (found === undefined) return { all: [], heads: [] };
  const agent = agentProcesses(found);
  const postmaster = found.postgres.filter(
    ({ pid: own, parent }) => own !== found.daemon?.pid && !found.postgres.some(({ pid }) => pid === parent),
  );
  // The head of a family comes first, so that it can't answer for what happens to its children.
  if (only === 'agent') return { all: agent, heads: agent };
  if (only === 'postgres') return { all: [...postmaster, ...backends(found, postmaster)], heads: postmaster };
  const rest = found.all.filter((one) => !agent.includes(one) && !postmaster.includes(one));
  return { all: [...agent, ...postmaster, ...rest], heads: [...agent, ...postmaster] };
}

const agentProcesses = ({ all, daemon }: InspectedProcess): PlacedProcess[] =>
  all.filter(({ pid }) => pid === daemon?.pid);

const backends = ({ postgres }: InspectedProcess, heads: readonly PlacedProcess[]): PlacedProcess[] =>
  postgres.filter((one) => !heads.includes(one));

const outcome = (
  { process: name, only }: ProcessOrder,
  targets: readonly PlacedProcess[],
): ProcessOutcome => ({
  process: name,
  only: only ?? null,
  changed: targets.length > 0,
  pids: targets.map(({ pid }) => pid),
});
