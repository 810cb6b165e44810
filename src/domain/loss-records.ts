import type { Voter } from './records.ts';

/** Of a member that may hold decisions beyond a decided prefix: what is known of them. */
export interface LossMember {
  readonly state: 'pending' | 'salvaged' | 'waived';
  readonly incarnation: string | null;
  /** Decisions found beyond the prefix; null until it is salvaged. */
  readonly found: number | null;
  /** Who waived its salvage and why, when its data can't be read any more. */
  readonly waived: { readonly by: string; readonly reason: string; readonly at: string } | null;
}

/**
 * A failover that may have lost decisions, from its point of no return on. While it is `open`, a token that is absent on one of
 * its shards is `unknown`; once signed off, the report under `losses/<operation>/` names what is lost.
 */
export interface LossRecord {
  readonly operation: string;
  readonly cluster: string;
  /** Which authority lost them, and which was decided after it. */
  readonly formerTerm: number;
  readonly term: number;
  readonly timeline: number;
  readonly lsn: string;
  /** Shard -> the decided head position: what lies beyond it in the former term is lost. */
  readonly positions: Readonly<Record<string, string>>;
  /** The recorded in-sync set at the fence: what one of them flushed may have been acknowledged. */
  readonly voters: readonly Voter[];
  /** Every member whose data may hold more than the prefix. */
  readonly members: Readonly<Record<string, LossMember>>;
  readonly status: 'open' | 'signed-off';
  /** Lost decisions, once signed off. */
  readonly lost: number | null;
  readonly signedOff: { readonly by: string; readonly reason: string; readonly at: string } | null;
  readonly since: string;
}

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
