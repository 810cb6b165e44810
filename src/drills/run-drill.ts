import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadContract } from '../config/contract.ts';
import { CapstanError, messageOf, unknownError } from '../domain/errors.ts';
import { DEFAULT_SHARD_COUNT } from '../domain/shard.ts';
import { sandboxEnvironment } from '../sandbox/environment.ts';
import { withFileLock } from '../sandbox/file-lock.ts';
import type { SandboxPaths } from '../sandbox/folders.ts';
import type { SandboxState } from '../sandbox/state.ts';
import type { Drill } from './catalogue.ts';
import { planFaults, planRounds } from './faults/schedule.ts';
import type { PlannedFault } from './faults/types.ts';
import { FileRecorder } from './history/recorder.ts';
import { judgeHistory } from './judge.ts';
import { type DrillResult, standingOf } from './result.ts';
import type { DrillStore } from './store.ts';
import type { OnStep } from './steps.ts';
import { Tally } from './tally.ts';
import { runTrial } from './trial.ts';

export interface RunDrillOptions {
  readonly paths: SandboxPaths;
  readonly state: SandboxState;
  readonly drill: Drill;
  /** The drill's own or others in their place; names of FAULTS. */
  readonly faults: readonly string[];
  /** The drill's own or another number: faults in turn. */
  readonly rounds: number | null;
  readonly seed: number;
  readonly durationMs: number;
  readonly ratePerSecond: number;
  readonly store: DrillStore;
  /** Aborted: the run stops at a safe step; what was injected is healed all the same. */
  readonly signal: AbortSignal;
  readonly onStep: OnStep;
}

/**
 * One run of a drill on a sandbox, as SPEC.md states it: the result is kept in the store, whatever the verdict. Throws
 * CapstanError `fault_unknown` and `drill_too_short` (exit 2), `sandbox_busy` (exit 4) while another drill runs there,
 * `drill_unfinished` and `drill_heal_incomplete` (exit 5) when it can't be brought to a verdict, `interrupted` (exit 5) when it
 * was stopped.
 */
export async function runDrill(options: RunDrillOptions): Promise<DrillResult> {
  const { paths, faults, rounds, seed, durationMs, signal } = options;
  const planned =
    rounds === null ? planFaults({ faults, seed, durationMs }) : planRounds({ faults, seed, rounds });
  const lock = {
    path: join(paths.folder, 'drill.lock'),
    waitMs: 0,
    what: `the sandbox ${paths.name}`,
    signal,
  };
  return withFileLock(lock, () => runAlone(options, planned));
}

async function runAlone(options: RunDrillOptions, planned: readonly PlannedFault[]): Promise<DrillResult> {
  const { paths, state, drill, faults, rounds, seed, durationMs, ratePerSecond, store, signal, onStep } =
    options;
  const began = performance.now();
  const startedAt = new Date().toISOString();
  const id = `${drill.name}-${randomBytes(4).toString('hex')}`;
  const [environment, contract, version] = await Promise.all([
    sandboxEnvironment(paths, state),
    loadContract(paths.contract),
    packageVersion(),
  ]);
  const { history } = await store.open(id);
  const recorder = new FileRecorder(history);
  const tally = new Tally(recorder);
  tally.record({
    kind: 'header',
    format: 'capstan-history/1',
    drill: drill.name,
    seed,
    version,
    startedAt,
    shardCount: DEFAULT_SHARD_COUNT,
    leaseTtlMs: contract.lease.ttlMs,
    options: { faults, rounds, durationMs, ratePerSecond, sandbox: paths.name },
  });
  try {
    await runTrial({
      ...options,
      faults: planned,
      inTurn: rounds !== null,
      runId: id,
      environment,
      contract,
      tally,
    });
  } catch (error) {
    const said = error instanceof CapstanError ? error : undefined;
    // Stopped or not: what is still broken has to be said.
    if (signal.aborted && said?.code !== 'drill_heal_incomplete') throw stopped(id, history, error);
    throw said ?? unfinished(id, history, error);
  } finally {
    recorder.close();
  }
  onStep('judge', 'running');
  const { verdict, excerpt, rounds: carriedOut } = await judgeHistory(history);
  const result: DrillResult = {
    id,
    drill: drill.name,
    promise: drill.promise,
    invariants: drill.invariants,
    seed,
    version,
    sandbox: paths.name,
    options: { faults, rounds, durationMs, ratePerSecond },
    startedAt,
    tookMs: Math.round(performance.now() - began),
    scale: tally.scale,
    rounds: carriedOut,
    verdict,
    history,
    excerpt,
  };
  await store.save(result);
  onStep('judge', standingOf(result) === 'held' ? 'done' : 'failed', id);
  return result;
}

const stopped = (id: string, history: string, cause: unknown): Error =>
  unknownError(`the drill ${id} was stopped before it was judged; everything that it injected is healed`, {
    code: 'interrupted',
    next: `capstan history check ${history} judges what there is of it`,
    data: { id, history },
    cause,
  });

const unfinished = (id: string, history: string, cause: unknown): Error =>
  unknownError(`the drill ${id} could not be finished: ${messageOf(cause)}`, {
    code: 'drill_unfinished',
    next: `capstan history check ${history} judges what there is of it`,
    data: { id, history },
    cause,
  });

async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
