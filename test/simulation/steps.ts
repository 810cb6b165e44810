import { areaOf } from './area.ts';
import { runSeed, type SeedResult } from './run.ts';
import { HOWS, ONS, type StepFault } from './step-faults.ts';
import type { WorldOptions } from './world-options.ts';

/** No operation writes as often as this. */
const WRITES_MOST = 40;
/** Most operations write at least as often as this, and this often something is tried. */
const FEW = { writes: 7, every: 2 };

interface Step {
  readonly fault: StepFault;
  readonly result: SeedResult;
}

/**
 * One run for each write of one operation and each thing that may happen there: the k-th write of its journal, and the k-th
 * report of an agent, until a run ends before it is reached.
 */
export async function* everyStep(options: WorldOptions): AsyncGenerator<Step> {
  for (const on of ONS) {
    for (const how of HOWS) {
      for (let nth = 1; nth <= WRITES_MOST; nth += 1) {
        const fault: StepFault = { on, nth, how };
        const result = await runSeed({ ...options, at: fault });
        yield { fault, result };
        if (!result.struck) break;
      }
    }
  }
}

/** A few of them: every second thing that may happen, or fewer, each at another write. */
export async function* someSteps(options: WorldOptions): AsyncGenerator<Step> {
  const pairs = ONS.flatMap((on) => HOWS.map((how) => ({ on, how })));
  const { writes, every } = areaOf(options.area ?? 'failover').few ?? FEW;
  for (const [index, { on, how }] of pairs.entries()) {
    if ((index + options.seed) % every !== 1) continue;
    const fault: StepFault = { on, how, nth: 1 + ((index * 2 + options.seed) % writes) };
    yield { fault, result: await runSeed({ ...options, at: fault }) };
  }
}
