/** One decision beyond a decided prefix, as a member's rows tell of it. */
export interface LostDecision {
  readonly shard: number;
  readonly position: string;
  readonly generation: number;
  readonly term: number;
  readonly issuer: string;
  readonly token: string;
  readonly desk: string;
  readonly command: string;
  readonly outcome: string;
  readonly reservation: string | null;
  /** In cents as text, or null where the command carries none. */
  readonly amount: string | null;
  /** Of a rejection, or the words of a correction. */
  readonly reason: string | null;
  /** What the token was bound to, so that a replay is bound to the same; null for one that was settled. */
  readonly hash: string | null;
  readonly decidedAt: string;
  /** Whether a recorded voter had flushed it, so that its caller may have been told. */
  readonly maybeAcknowledged: boolean;
  readonly heldBy: readonly string[];
}

/** One key's worth of a salvage or of a report. */
export interface LossChunk {
  readonly entries: readonly LostDecision[];
}
