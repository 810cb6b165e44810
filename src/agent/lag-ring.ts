/** The follower as the leader's `pg_stat_replication` shows it at one moment; undefined fields: no such row. */
export interface ReplayReport {
  readonly replayedLsn: bigint | undefined;
  /** Changes with each reply of the follower; only its change is looked at, never its value. */
  readonly replyMark: string | undefined;
}

interface Entry {
  readonly atMs: number;
  readonly lsn: bigint;
}

/**
 * How old the newest moment is up to which the remote follower is known to hold everything. At each tick the ring takes
 * (time, flushed LSN). An entry is proved once the follower has replayed its LSN. On an idle system the newest entry is
 * proved by an old answer, so the age is never less than the time since the follower was last heard: a follower that is
 * gone doesn't look fresh. Times are monotonic milliseconds.
 */
export class LagRing {
  readonly #entries: Entry[] = [];
  readonly #entriesMax: number;
  #provedAtMs: number | undefined;
  #heardAtMs: number | undefined;
  #lastTickMs: number | undefined;
  #replyMark: string | undefined;

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  /** `flushed` must have been read no later than `report`. */
  tick(atMs: number, flushed: bigint, report: ReplayReport): void {
    this.#entries.push({ atMs, lsn: flushed });
    if (this.#entries.length > this.#entriesMax) this.#thin();
    const { replayedLsn, replyMark } = report;
    if (replyMark !== undefined && replyMark !== this.#replyMark) {
      // A reply seen now came after the last look, which is all that is known of when; the first one proves nothing.
      if (this.#replyMark !== undefined) this.#heardAtMs = this.#lastTickMs;
      this.#replyMark = replyMark;
    }
    if (replayedLsn !== undefined) {
      const proved = this.#entries.findLastIndex(({ lsn }) => lsn <= replayedLsn);
      const entry = this.#entries[proved];
      if (entry !== undefined) {
        this.#provedAtMs = Math.max(this.#provedAtMs ?? entry.atMs, entry.atMs);
        this.#entries.splice(0, proved);
      }
    }
    this.#lastTickMs = atMs;
  }

  /** The moment up to which the follower is proved to hold everything; undefined while nothing is proved. */
  get freshAtMs(): number | undefined {
    if (this.#provedAtMs === undefined || this.#heardAtMs === undefined) return undefined;
    return Math.min(this.#provedAtMs, this.#heardAtMs);
  }

  lagMs(nowMs: number): number | undefined {
    const fresh = this.freshAtMs;
    return fresh === undefined ? undefined : Math.max(0, nowMs - fresh);
  }

  /** Forgets every other entry but the first and last: a coarser ring only over-states the lag. */
  #thin(): void {
    const kept = this.#entries.filter((_, index) => index % 2 === 0 || index === this.#entries.length - 1);
    this.#entries.splice(0, this.#entries.length, ...kept);
  }
}
