import { choose, diceOf } from './means/dice.ts';
import { disturbDesks } from './means/desks.ts';
import { inForce } from './means/in-force.ts';
import type { Fault } from './types.ts';

/** The worst moment to lose a connection: everything has happened, and the desk hears nothing. */
export const dropReplies: Fault = {
  name: 'drop-replies',
  summary: 'what desks send to a region’s gateway arrives, and no answer comes back',
  holdMs: { min: 500, max: 6_000 },
  inject(ground, planned) {
    const region = choose(diceOf(planned), ['new-york', 'madrid'] as const);
    const release = disturbDesks(ground, region, 'drop-replies');
    return Promise.resolve(inForce(`desks at ${region}`, { region }, release));
  },
};
