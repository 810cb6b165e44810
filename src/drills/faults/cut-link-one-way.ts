import { REGIONS } from '../../sandbox/topology.ts';
import { choose, diceOf } from './means/dice.ts';
import { inForce } from './means/in-force.ts';
import { disturb } from './means/links.ts';
import type { Fault } from './types.ts';

/** One side hears and isn't heard. */
export const cutLinkOneWay: Fault = {
  name: 'cut-link-one-way',
  summary: 'one direction between two regions cut; what is sent meanwhile waits or is lost',
  holdMs: { min: 1_000, max: 10_000 },
  async inject(ground, planned) {
    const dice = diceOf(planned);
    const from = choose(dice, REGIONS);
    const to = dice.pick(REGIONS.filter((region) => region !== from)) ?? from;
    const cut = choose(dice, ['hold', 'lose'] as const);
    const release = await disturb(ground, [{ from, to }], { cut });
    return inForce(`${from} -> ${to}`, { cut }, release);
  },
};
