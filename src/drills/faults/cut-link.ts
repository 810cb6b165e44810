import { choose, diceOf } from './means/dice.ts';
import { inForce } from './means/in-force.ts';
import { bothWays, disturb } from './means/links.ts';
import type { Fault } from './types.ts';

/** The regions that serve twice as often as either with the witness: their link carries everything. */
const PAIRS = [
  ['new-york', 'madrid'],
  ['new-york', 'madrid'],
  ['new-york', 'witness'],
  ['madrid', 'witness'],
] as const;

/** A partition, as a network makes it: silence, and no resets. */
export const cutLink: Fault = {
  name: 'cut-link',
  summary: 'the link between two regions cut both ways; what is sent meanwhile waits or is lost',
  holdMs: { min: 1_000, max: 10_000 },
  async inject(ground, planned) {
    const dice = diceOf(planned);
    const [one, other] = choose(dice, PAIRS);
    const cut = choose(dice, ['hold', 'lose'] as const);
    const release = await disturb(ground, bothWays(one, other), { cut });
    return inForce(`${one} - ${other}`, { cut }, release);
  },
};
