import { diceOf } from './means/dice.ts';
import { inForce } from './means/in-force.ts';
import { bothWays, disturb } from './means/links.ts';
import type { Fault } from './types.ts';

/** Lag grows and claims lapse; nothing that is confirmed may change. */
export const slowLink: Fault = {
  name: 'slow-link',
  summary: 'the link between the two serving regions made narrow and slow',
  holdMs: { min: 2_000, max: 10_000 },
  async inject(ground, planned) {
    const dice = diceOf(planned);
    const settings = {
      bytesPerSecond: dice.whole(8, 64) * 1_024,
      delayMs: ground.state.wanDelayMs + dice.whole(30, 300),
    };
    const release = await disturb(ground, bothWays('new-york', 'madrid'), settings);
    return inForce('new-york - madrid', settings, release);
  },
};
