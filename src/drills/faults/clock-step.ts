import { drawCluster, readViews } from './means/clusters.ts';
import { stepClock } from './means/clocks.ts';
import { diceOf } from './means/dice.ts';
import { inForce } from './means/in-force.ts';
import type { Fault } from './types.ts';

const STEP_MAX_MS = 300_000;
const STEP_MIN_MS = 1_000;

/** No step of the wall clock may make a right last longer: forward it ends, back the boot clock bounds it. */
export const clockStep: Fault = {
  name: 'clock-step',
  summary: 'the wall clock that a leader’s fence reads steps by up to five minutes, either way, and back',
  holdMs: { min: 1_000, max: 8_000 },
  async inject(ground, planned) {
    const { name, leader } = await drawCluster(ground, planned);
    const dice = diceOf(planned);
    const stepMs = (dice.chance(0.5) ? 1 : -1) * dice.whole(STEP_MIN_MS, STEP_MAX_MS);
    const release = await stepClock(ground, { cluster: name, leader, stepMs });
    return inForce(leader, { cluster: name, step_ms: stepMs }, async () => {
      // The replaced function is replicated: after a failover it is the next leader that has it.
      await release((await readViews(ground)).get(name)?.authority?.value.leader ?? leader);
    });
  },
};
