import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../domain/errors.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { FAULTS } from './registry.ts';
import type { Ground, InForce, PlannedFault } from './types.ts';

export interface FaultTrouble {
  readonly fault: string;
  readonly target: string | null;
  readonly reason: string;
}

export interface FaultsReport {
  readonly injected: number;
  /** Found nothing to act on. */
  readonly skipped: readonly FaultTrouble[];
  /** Could not be injected for a reason of its own; what was begun of it was undone. */
  readonly failed: readonly FaultTrouble[];
  /** Is still in force in part: `healAll` is needed. */
  readonly unhealed: readonly FaultTrouble[];
}

/**
 * Injects each planned fault at its time, counted from the call, and heals it at the end of its window: `holdMs` after
 * injecting began, or as soon as it is in force when that comes later. When the ground's signal fires, everything is healed
 * at once. What could not be healed at its time is tried once more at the end. Never throws: troubles are reported, and
 * recorded as lines of phase `failed`.
 */
export async function runFaults(ground: Ground, planned: readonly PlannedFault[]): Promise<FaultsReport> {
  const startedAt = performance.now();
  const run = new FaultsRun(ground);
  await Promise.all(planned.map((one) => run.carryOut(one, startedAt)));
  return run.end();
}

/** As `runFaults`, one after another: each time counts from the end of the fault before. */
export async function runFaultsInTurn(
  ground: Ground,
  planned: readonly PlannedFault[],
): Promise<FaultsReport> {
  const run = new FaultsRun(ground);
  for (const one of planned) await run.carryOut(one, performance.now());
  return run.end();
}

class FaultsRun {
  readonly #ground: Ground;
  readonly #report = {
    injected: 0,
    skipped: [] as FaultTrouble[],
    failed: [] as FaultTrouble[],
    unhealed: [] as FaultTrouble[],
  };
  readonly #again: { readonly fault: string; readonly force: InForce }[] = [];

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  async carryOut(one: PlannedFault, countedFrom: number): Promise<void> {
    const ground = this.#ground;
    await sleepUntil(countedFrom + one.atMs, ground.signal);
    if (ground.signal.aborted) return;
    const healAt = performance.now() + one.holdMs;
    const force = await inject(ground, one, this.#report);
    if (force === undefined) return;
    this.#report.injected += 1;
    await sleepUntil(healAt, ground.signal);
    if ((await heal(ground, one.fault, force)) !== undefined) this.#again.push({ fault: one.fault, force });
  }

  async end(): Promise<FaultsReport> {
    for (const { fault, force } of this.#again) {
      const reason = await heal(this.#ground, fault, force);
      if (reason !== undefined) this.#report.unhealed.push({ fault, target: force.target, reason });
    }
    return this.#report;
  }
}

async function inject(
  ground: Ground,
  planned: PlannedFault,
  report: { readonly skipped: FaultTrouble[]; readonly failed: FaultTrouble[] },
): Promise<InForce | undefined> {
  const { fault } = planned;
  try {
    const known = FAULTS.get(fault);
    if (known === undefined) throw new Error(`there is no fault ${fault}`);
    const force = await known.inject(ground, planned);
    record(ground, 'began', { fault, target: force.target, detail: force.detail });
    return force;
  } catch (error) {
    const reason = messageOf(error);
    const skipped = error instanceof NothingToInjectInto;
    (skipped ? report.skipped : report.failed).push({ fault, target: null, reason });
    record(ground, 'failed', {
      fault,
      target: 'none',
      detail: { what: skipped ? 'nothing to inject into' : 'not injected', reason },
    });
    return undefined;
  }
}

/** Answers why it could not be healed; undefined: it was. */
async function heal(ground: Ground, fault: string, force: InForce): Promise<string | undefined> {
  const { target } = force;
  try {
    await force.heal();
    record(ground, 'healed', { fault, target, detail: force.detail });
    return undefined;
  } catch (error) {
    const reason = messageOf(error);
    record(ground, 'failed', { fault, target, detail: { what: 'not healed', reason } });
    return reason;
  }
}

/** A copy of the detail: what it tells goes on changing until the fault is healed. */
const record = (
  { recorder }: Ground,
  phase: 'began' | 'healed' | 'failed',
  about: Pick<FaultTrouble, 'fault'> & { readonly target: string; readonly detail: InForce['detail'] },
): void => recorder.record({ kind: 'fault', phase, ...about, detail: structuredClone(about.detail) });

async function sleepUntil(moment: number, signal: AbortSignal): Promise<void> {
  const leftMs = moment - performance.now();
  if (leftMs > 0 && !signal.aborted) await delay(leftMs, undefined, { signal }).catch(() => undefined);
}
