import { choose, diceOf } from './means/dice.ts';
import { disturbDesks } from './means/desks.ts';
import { inForce } from './means/in-force.ts';
import type { Fault } from './types.ts';

/** A gateway's host that has vanished: connections seem to open, and stay silent for ever. */
export const halfOpen: Fault = {
  name: 'half-open',
  summary: 'desks’ connections to a region’s gateway are accepted, never answered and never closed',
  holdMs: { min: 500, max: 6_000 },
  inject(ground, planned) {
    const region = choose(diceOf(planned), ['new-york', 'madrid'] as const);
    const release = disturbDesks(ground, region, 'half-open');
    return Promise.resolve(inForce(`desks at ${region}`, { region }, release));
  },
};
