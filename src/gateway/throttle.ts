import type { RouteSource } from './route-table.ts';
import { Pace } from './pace.ts';
import type { Permit } from './sending.ts';

/** What is left of this part of a command's time is for the decision itself: later it would only end unknown. */
const DECIDING_PART = 0.2;

export interface ThrottleOptions {
  readonly source: RouteSource;
  /** How many decisions a second this gateway may have made by a cluster now; undefined: as many as come. */
  readonly rateOf: (cluster: string) => number | undefined;
  readonly decisionMs: number;
}

/**
 * The RPO gate's action `throttle` in one gateway: while a cluster's claim isn't advertised, its commands are sent at the
 * contract's pace. What is over waits in its lane, and is refused without effect when too little of its time is left.
 * Whether it acts is read from the view each time, for a claim lapses without a word; it ends with the view that says so.
 */
export class Throttle {
  readonly #options: ThrottleOptions;
  readonly #paces = new Map<string, Pace>();
  readonly #stopFollowing: () => void;

  constructor(options: ThrottleOptions) {
    this.#options = options;
    this.#stopFollowing = options.source.onChange(() => {
      for (const [cluster, pace] of this.#paces) {
        const perSecond = options.rateOf(cluster);
        if (perSecond !== undefined) pace.perSecond = perSecond;
        else this.#end(cluster, pace);
      }
    });
  }

  isActing(cluster: string): boolean {
    return this.#options.rateOf(cluster) !== undefined;
  }

  /** The right to send some of a lane's commands; undefined: nothing is slowed. */
  take(cluster: string, wanted: () => number): Promise<Permit> | undefined {
    const perSecond = this.#options.rateOf(cluster);
    if (perSecond === undefined) return undefined;
    let pace = this.#paces.get(cluster);
    if (pace === undefined) {
      pace = new Pace(perSecond);
      this.#paces.set(cluster, pace);
    }
    pace.perSecond = perSecond;
    return this.#permit(pace, wanted);
  }

  close(): void {
    this.#stopFollowing();
    for (const [cluster, pace] of this.#paces) this.#end(cluster, pace);
  }

  async #permit(pace: Pace, wanted: () => number): Promise<Permit> {
    const granted = await pace.take(wanted);
    if (granted === Infinity) return { release: () => undefined };
    return {
      commandsMax: granted,
      timeLeftMinMs: this.#options.decisionMs * DECIDING_PART,
      release: (used) => {
        if (used < granted) pace.giveBack(granted - used);
      },
    };
  }

  #end(cluster: string, pace: Pace): void {
    this.#paces.delete(cluster);
    pace.end();
  }
}
