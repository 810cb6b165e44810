import { setTimeout as delay } from 'node:timers/promises';
import { unreachableError } from '../domain/errors.ts';
import { commandOf } from './commands.ts';
import { logTail, runningDaemon, signalAll, startDaemon, waitForEnd } from './daemon.ts';
import type { SandboxPaths } from './folders.ts';
import { inspectProcesses, type InspectedProcess } from './inspect.ts';
import { LinkClient } from './link/client.ts';
import { PortName, portOf, type SandboxState } from './state.ts';
import { type EtcdNode, LINK_NODE, type Node } from './topology.ts';

const POLL_EVERY_MS = 100;
const PROBE_TIMEOUT_MS = 1_000;
const STRAY_END_MS = 5_000;

export interface StartOptions {
  readonly paths: SandboxPaths;
  readonly state: SandboxState;
  readonly nodes: readonly Node[];
}

/**
 * Starts those of these processes that don't run, and wakes those that are paused. Returns the names of the ones that
 * it changed. An orphaned Postgres is left to its new agent, which alone may touch it.
 */
export async function startProcesses({ paths, state, nodes }: StartOptions): Promise<string[]> {
  const inspected = (await inspectProcesses(paths)).filter(({ node }) =>
    nodes.some(({ name }) => name === node.name),
  );
  const changed: string[] = [];
  await Promise.all(
    inspected.map(async (one) => {
      if (await startOne(paths, state, one)) changed.push(one.node.name);
    }),
  );
  return changed;
}

async function startOne(
  paths: SandboxPaths,
  state: SandboxState,
  { node, daemon, all, postgres }: InspectedProcess,
): Promise<boolean> {
  const paused = all.filter(({ state: letter }) => /^[Tt]/.test(letter));
  await signalAll(paused, 'SIGCONT');
  if (daemon !== undefined) return paused.length > 0;
  // A daemon whose starter was killed before it could be recorded holds the ports; its successor needs them.
  // Backends whose postmaster was killed hold its memory; a member's are its agent's to end.
  const left = node.kind === 'projections' ? [] : postgres;
  const strays = all.filter(({ pid }) => !left.some((own) => own.pid === pid));
  await signalAll(strays, 'SIGKILL');
  await waitForEnd(strays, STRAY_END_MS);
  await startDaemon(paths, await commandOf(paths, state, node));
  return true;
}

export interface AwaitOptions {
  readonly paths: SandboxPaths;
  /** What is awaited, for the error. */
  readonly what: string;
  /** Processes without which it can't come true: when one of them ends, waiting stops. */
  readonly needs: readonly Node[];
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
  /** True when it is so; a sentence that says what is missing; or a throw, which counts as not yet. */
  readonly check: () => Promise<true | string>;
  readonly pollEveryMs?: number;
}

/**
 * Waits for a condition. Throws CapstanError `sandbox_process_failed` (exit 7) as soon as a needed process has ended,
 * naming it with the last lines of its log, or `sandbox_not_ready` (exit 7) at the deadline.
 */
export async function awaitCondition(options: AwaitOptions): Promise<void> {
  const { paths, what, needs, deadline, signal, check, pollEveryMs = POLL_EVERY_MS } = options;
  for (;;) {
    signal?.throwIfAborted();
    let missing: string;
    try {
      const verdict = await check();
      if (verdict === true) return;
      missing = verdict;
    } catch (error) {
      missing = error instanceof Error ? error.message : String(error);
    }
    for (const { name } of needs) {
      if ((await runningDaemon(paths, name)) === undefined) throw await processFailed(paths, name);
    }
    if (performance.now() > deadline) throw await notReady({ paths, what, missing, needs });
    await delay(pollEveryMs, undefined, signal === undefined ? {} : { signal });
  }
}

async function processFailed(paths: SandboxPaths, name: string): Promise<Error> {
  const lines = await logTail(paths, name);
  return unreachableError(`${name} ended by itself; its last lines:\n${indent(lines)}`, {
    code: 'sandbox_process_failed',
    next: `the whole log: ${paths.log(name)}; after mending: capstan sandbox up --name ${paths.name}`,
    data: { process: name, log: paths.log(name), lines },
  });
}

async function notReady(options: {
  paths: SandboxPaths;
  what: string;
  missing: string;
  needs: readonly Node[];
}): Promise<Error> {
  const { paths, what, missing, needs } = options;
  const culprit = needs.find(({ name }) => missing.includes(name));
  const lines = culprit === undefined ? [] : await logTail(paths, culprit.name);
  const tail = lines.length === 0 ? '' : `; the last lines of ${culprit?.name ?? ''}:\n${indent(lines)}`;
  return unreachableError(`${what}: not in time: ${missing}${tail}`, {
    code: 'sandbox_not_ready',
    next: `capstan sandbox status --name ${paths.name}; logs: ${paths.logs}`,
    data: { missing, logs: paths.logs },
  });
}

const indent = (lines: readonly string[]): string => lines.map((line) => `  ${line}`).join('\n');

/** Waits until the link process serves its control port, and with it every route. */
export const awaitLink = (options: Omit<AwaitOptions, 'what' | 'needs' | 'check'>, state: SandboxState) =>
  awaitCondition({
    ...options,
    what: 'the link process',
    needs: [LINK_NODE],
    check: async () => {
      await new LinkClient(options.paths, state).show(PROBE_TIMEOUT_MS);
      return true;
    },
  });

/** Waits until these etcd members serve linearizable requests. */
export const awaitEtcd = (
  options: Omit<AwaitOptions, 'what' | 'needs' | 'check'>,
  { state, nodes }: { state: SandboxState; nodes: readonly EtcdNode[] },
) =>
  awaitCondition({
    ...options,
    what: 'etcd',
    needs: nodes,
    check: async () => {
      for (const { name } of nodes) {
        const response = await fetch(`http://127.0.0.1:${portOf(state, PortName.etcdClient(name))}/health`, {
          signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
        }).catch(() => undefined);
        const health = response?.ok ? ((await response.json()) as { health?: string }).health : undefined;
        if (health !== 'true') return `${name} is not healthy yet`;
      }
      return true;
    },
  });
