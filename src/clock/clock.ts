/** Both clocks of a host at one moment. */
export interface ClockReading {
  readonly wallMs: number;
  readonly bootMs: number | null;
}

/**
 * Time, and what else differs from one run to the next: everything that a state machine may not take from the process
 * itself, so that a simulation can stand in for it. Times are milliseconds.
 */
export interface Clock {
  /** Names this process among all others, on this host and elsewhere. */
  readonly process: string;
  /** Never set, and meaningless outside this process. */
  monotonicMs(): number;
  /** Since 1970; may be stepped either way. */
  wallMs(): number;
  /** Since the host's boot, sleep included; null where the host has no such clock. */
  bootMs(): number | null;
  /** Resolves after that long, or at once when the signal fires. Never throws. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls once after that long unless the answer is called before. */
  after(ms: number, call: () => void): () => void;
  /** Random; in the form of a UUID. */
  uuid(): string;
  /** That many random bytes as lower-case hex. */
  hex(bytes: number): string;
}

/** The wall clock first: a pause between the two makes what is reckoned from them end earlier, never later. */
export function readClocks(clock: Clock): ClockReading {
  const wallMs = clock.wallMs();
  return { wallMs, bootMs: clock.bootMs() };
}

export const nowOf = (clock: Clock): Date => new Date(clock.wallMs());

/** As records hold it: ISO 8601 in UTC. */
export const timestampOf = (clock: Clock): string => nowOf(clock).toISOString();
