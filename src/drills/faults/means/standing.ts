import type { LinkPair } from '../../../sandbox/link/client.ts';
import type { LinkSettings } from '../../../sandbox/link/link.ts';
import type { DeskSwitch } from '../types.ts';

export interface Disturbance {
  readonly pairs: readonly LinkPair[];
  readonly settings: Partial<LinkSettings>;
}

/**
 * What this process holds in force on one sandbox. Several faults may hold the same thing: it is given back when the last
 * of them lets go, and until then it is as the latest of the others wants it.
 */
export class Standing {
  /** Process -> those that keep it down or paused. */
  readonly processes = new Map<string, Set<symbol>>();
  readonly links = new Set<Disturbance>();
  /** Region -> what is asked for, the latest last. */
  readonly desks = new Map<string, { readonly mode: Parameters<DeskSwitch['set']>[1] }[]>();
  /** Cluster -> steps of its leader's clock, the latest last. */
  readonly clocks = new Map<string, { readonly stepMs: number }[]>();
  readonly #turns = new Map<string, Promise<unknown>>();

  /** One after another for the same thing; a failed turn doesn't stop the next. */
  async inTurn<T>(thing: string, turn: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(thing) ?? Promise.resolve();
    const mine = before.then(turn, turn);
    this.#turns.set(
      thing,
      mine.catch(() => undefined),
    );
    return mine;
  }
}

const standings = new Map<string, Standing>();

export function standingOn({ folder }: { readonly folder: string }): Standing {
  const known = standings.get(folder);
  if (known !== undefined) return known;
  const fresh = new Standing();
  standings.set(folder, fresh);
  return fresh;
}

/** Whoever heals everything asks nobody: what was held is given back. */
export function letGoOfAll(on: { readonly folder: string }): void {
  const standing = standingOn(on);
  for (const held of [standing.processes, standing.links, standing.desks, standing.clocks]) held.clear();
}
