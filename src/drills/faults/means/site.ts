import type { Ground } from '../types.ts';

/** The sandbox itself, without a run. */
export type Site = Pick<Ground, 'paths' | 'state' | 'environment'>;
