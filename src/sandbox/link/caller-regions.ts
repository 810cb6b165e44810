import { setTimeout as delay } from 'node:timers/promises';
import { type LoopbackConnection, lookAtSockets, type SocketOwners } from './socket-owner.ts';

const TRIES = 20;
const AGAIN_AFTER_MS = 50;

export interface CallerRegionsOptions {
  /** The known processes, with their regions. */
  readonly processesByRegion: () => Promise<ReadonlyMap<number, string>>;
  readonly look?: (pids: readonly number[]) => Promise<SocketOwners>;
}

/**
 * Tells callers' regions by their processes. One look at the system goes on at a time, and all that came before it began
 * share it: if each caller had its own, a busy machine would answer callers later than they wait, they would call again, and
 * the looks of those who have long gone would leave no time for the others.
 */
export class CallerRegions {
  readonly #options: CallerRegionsOptions;
  #underway: Promise<unknown> = Promise.resolve();
  #next: Promise<(connection: LoopbackConnection) => string | undefined> | undefined;

  constructor(options: CallerRegionsOptions) {
    this.#options = options;
  }

  /** Undefined when no known process holds the connection, after some tries, or when `gone` says that nobody waits. */
  async regionOf(connection: LoopbackConnection, gone: () => boolean): Promise<string | undefined> {
    // A process that was just started may call before it is recorded.
    for (let tries = 0; tries < TRIES && !gone(); tries += 1) {
      const region = (await this.#look().catch(() => undefined))?.(connection);
      if (region !== undefined) return region;
      await delay(AGAIN_AFTER_MS);
    }
    return undefined;
  }

  /** A look that begins after this call. */
  #look(): Promise<(connection: LoopbackConnection) => string | undefined> {
    this.#next ??= this.#underway.then(async () => {
      const look = this.#begin();
      this.#next = undefined;
      this.#underway = look.catch(() => undefined);
      return look;
    });
    return this.#next;
  }

  async #begin(): Promise<(connection: LoopbackConnection) => string | undefined> {
    const { processesByRegion, look = lookAtSockets } = this.#options;
    const regions = await processesByRegion();
    const ownerOf = await look([...regions.keys()]);
    return (connection) => {
      const owner = ownerOf(connection);
      return owner === undefined ? undefined : regions.get(owner);
    };
  }
}
