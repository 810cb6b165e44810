import { setTimeout as delay } from 'node:timers/promises';
import type { Contract } from '../domain/contract.ts';
import type { SandboxEnvironment } from '../sandbox/environment.ts';
import type { SandboxPaths } from '../sandbox/folders.ts';
import type { SandboxState } from '../sandbox/state.ts';
import { AuthoritySampler } from './authority-sampler.ts';
import { DeskProxies } from './faults/desk-switch.ts';
import { startGuard } from './faults/guard.ts';
import { healAll } from './faults/heal.ts';
import { runFaults, runFaultsInTurn } from './faults/run.ts';
import type { PlannedFault } from './faults/types.ts';
import { readThroughGateways, recordBases, recordLogs, recordLosses } from './read-back.ts';
import type { HistoryRecorder } from './history/types.ts';
import type { DrillStep, OnStep } from './steps.ts';
import type { Tally } from './tally.ts';
import { Desk } from './workload/desk.ts';
import { runLoad } from './workload/load.ts';
import { WorkloadPlan } from './workload/plan.ts';
import { setLimits } from './workload/set-limits.ts';

const HEAL_TIMEOUT_MS = 120_000;
const LIMITS_TIMEOUT_MS = 30_000;
const READ_TIMEOUT_MS = 60_000;
/** A desk waits a little longer than the gateway promises to take. */
const DESK_PATIENCE_MS = 500;
const TOLD_EVERY_MS = 5_000;

export interface TrialOptions {
  readonly paths: SandboxPaths;
  readonly state: SandboxState;
  readonly environment: SandboxEnvironment;
  readonly contract: Contract;
  /** Issuers and tokens of the run begin with it. */
  readonly runId: string;
  readonly faults: readonly PlannedFault[];
  /** Whether each fault waits for the one before. */
  readonly inTurn: boolean;
  readonly seed: number;
  readonly durationMs: number;
  readonly ratePerSecond: number;
  readonly tally: Tally;
  readonly signal: AbortSignal;
  readonly onStep: OnStep;
}

/**
 * Everything of a run that touches the sandbox, from the first healing to the last read, into the recorder. Rejects at the
 * first step that can't be done, or with the signal's reason once that is aborted; what was injected is healed in any case.
 */
export async function runTrial(options: TrialOptions): Promise<void> {
  const { environment, contract, tally, signal } = options;
  const regions = environment.gateways.map(({ region }) => region);
  const plan = new WorkloadPlan({ ...options, regions });
  const issuers = plan.issuers.map(({ issuer }) => issuer);
  const desks = await DeskProxies.open(environment.gateways);
  const desk = new Desk({
    recorder: tally,
    urlOf: (region) => desks.urlOf(region),
    keys: environment.keys,
    deadlineMs: contract.deadlines.decisionMs + DESK_PATIENCE_MS,
  });
  const sampler = new AuthoritySampler(environment, tally);
  try {
    await step(options, 'heal', () => comeToRest(options, 'heal'));
    const reading = { environment, recorder: tally, issuers, signal };
    const since = new Date().toISOString();
    const bases = await step(options, 'base', () => recordBases(reading));
    await step(options, 'load', async () => {
      await setLimits({ desk, issuers: plan.issuers, regions, timeoutMs: LIMITS_TIMEOUT_MS, signal });
      await loadAndFaults({ ...options, desk, desks, plan, regions });
    });
    await step(options, 'rest', () => comeToRest(options, 'rest'));
    await step(options, 'read', async () => {
      const lost = await recordLosses(reading, since);
      await readThroughGateways({
        desk,
        regions,
        issuers,
        openTokens: [...tally.openTokens, ...lost],
        timeoutMs: READ_TIMEOUT_MS,
        signal,
      });
      await recordLogs(reading, bases);
    });
  } finally {
    desk.close();
    await Promise.allSettled([sampler.stop(), desks.close()]);
  }
}

interface Loading extends TrialOptions {
  readonly desk: Desk;
  readonly desks: DeskProxies;
  readonly plan: WorkloadPlan;
  readonly regions: readonly string[];
}

/**
 * Load for as long as asked for, and for as long as a fault that was planned within it goes on: its end is to be seen. It
 * resolves with everything healed, also when it is stopped.
 */
async function loadAndFaults(loading: Loading): Promise<void> {
  const { tally, durationMs, signal } = loading;
  const over = new AbortController();
  const enough = AbortSignal.any([signal, over.signal]);
  const told = setInterval(() => loading.onStep('load', 'running', scaleLine(tally)), TOLD_EVERY_MS);
  const guard = await startGuard(loading);
  try {
    const load = runLoad({ ...loading, enough });
    const issuers = loading.plan.issuers.map(({ issuer }) => issuer);
    const ground = { ...loading, issuers, recorder: tellingFaults(loading), signal: enough };
    const faults = (loading.inTurn ? runFaultsInTurn : runFaults)(ground, loading.faults);
    try {
      await Promise.all([faults, delay(durationMs, undefined, { signal })]);
    } finally {
      over.abort();
      const [{ leftOut }] = await Promise.all([load, faults]);
      tally.leaveOut(leftOut);
    }
  } finally {
    clearInterval(told);
    if (loading.faults.length > 0) await healAll({ ...loading, timeoutMs: HEAL_TIMEOUT_MS });
    await guard.stop();
  }
}

/** Records, and says at once what is done to the sandbox. */
const tellingFaults = ({ tally, onStep }: Loading): HistoryRecorder => ({
  now: () => tally.now(),
  record: (entry) => {
    tally.record(entry);
    if (entry.kind !== 'fault') return;
    const { fault, phase, target, detail } = entry;
    const why = phase === 'failed' ? `: ${String(detail['reason'])}` : '';
    onStep('load', 'running', `${fault} ${phase}: ${target}${why}`);
  },
});

/** Heals what any run left, and waits until everything decides again with its voters in sync. */
async function comeToRest(options: TrialOptions, name: DrillStep): Promise<void> {
  await healAll({
    ...options,
    timeoutMs: HEAL_TIMEOUT_MS,
    stop: options.signal,
    onProgress: ({ missing }) => options.onStep(name, 'running', missing),
  });
}

async function step<T>({ onStep, signal }: TrialOptions, name: DrillStep, run: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  onStep(name, 'running');
  try {
    const result = await run();
    onStep(name, 'done');
    return result;
  } catch (error) {
    onStep(name, 'failed');
    throw error;
  }
}

function scaleLine(tally: Tally): string {
  const { operations, confirmed, rejected, unknown, faultsInjected } = tally.scale;
  return `${operations} requests: ${confirmed} confirmed, ${rejected} rejected, ${unknown} left open; ${faultsInjected} faults`;
}
