/** One product, up and serving on this machine, as the measurement sees it. */
export interface Estate {
  /**
   * Ways to send one small write, tried side by side; each says whether it was confirmed to its caller before
   * `deadlineMs` was over, and never throws.
   */
  readonly writers: readonly Writer[];
  /**
   * kill -9 of everything on the host of the present leader at once, while a follower is in sync. Answers the monotonic
   * moment at which the last signal was out.
   */
  readonly killLeader: () => Promise<number>;
  /** What the product itself says of what happened since: for the reader, and for an error. */
  readonly account: () => Promise<string>;
  /** Leaves no process and no file. */
  readonly close: () => Promise<void>;
}

export type Writer = (deadlineMs: number) => Promise<boolean>;

/** How one product is brought up, always from nothing. */
export interface Product {
  readonly name: 'Capstan' | 'Patroni';
  /** What the measured time is made of, for whoever reads the figures. */
  readonly includes: string;
  readonly open: (signal: AbortSignal) => Promise<Estate>;
}
