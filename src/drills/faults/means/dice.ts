import { Random } from '../../random.ts';
import type { PlannedFault } from '../types.ts';

const VARIANTS = 101;
const CLUSTERS = 102;

/** As many choices as a fault needs, all fixed by its one draw. */
export const diceOf = ({ draw }: Pick<PlannedFault, 'draw'>): Random => new Random(seedOf(draw), VARIANTS);

/** Apart from the other choices, so that a variant isn't bound to a cluster. */
export const clusterDiceOf = ({ draw }: Pick<PlannedFault, 'draw'>): Random =>
  new Random(seedOf(draw), CLUSTERS);

const seedOf = (draw: number): number => Math.floor(draw * 4_294_967_296);

/** One of several that are known to be there. */
export function choose<T>(dice: Random, from: readonly [T, ...T[]]): T {
  return dice.pick(from) ?? from[0];
}
