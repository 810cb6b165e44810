/** What a member's agent says of its member in etcd: each second, and when it was asked for something. */
import type { MemberState } from './records.ts';

/** Every agent's facts, once a second, under an etcd lease (liveness only). Unknown figures are null, never zero. */
export interface HeartbeatRecord {
  readonly member: string;
  readonly cluster: string;
  readonly region: string;
  readonly incarnation: string | null;
  readonly state: MemberState;
  readonly reason: string | null;
  /** The highest term that this agent has seen. */
  readonly term: number;
  readonly epoch: number;
  readonly timeline: number | null;
  readonly postgresUp: boolean;
  readonly writable: boolean;
  readonly receivedLsn: string | null;
  readonly replayedLsn: string | null;
  readonly flushedLsn: string | null;
  /** For a leader: what is left of its lease right when this was sent. */
  readonly leaseLeftMs: number | null;
  readonly synchronousStandbyNames: string | null;
  readonly followers: readonly FollowerFacts[];
  readonly version: string;
  readonly at: string;
}

/** A follower as its leader's `pg_stat_replication` shows it. */
export interface FollowerFacts {
  readonly member: string;
  readonly incarnation: string;
  readonly syncState: string;
  readonly flushedLsn: string | null;
  readonly replayedLsn: string | null;
  readonly lagBytes: string | null;
}

/** A frozen follower's own report: nothing it holds can change until a leader is decided. */
export interface FreezeReport {
  readonly term: number;
  readonly operation: string;
  readonly member: string;
  readonly incarnation: string;
  readonly timeline: number;
  readonly receivedLsn: string;
  readonly replayedLsn: string;
  readonly positions: Readonly<Record<string, string>>;
  readonly frozenAt: string;
}

/** The old leader's agent has seen the fence, and no process of its Postgres is left: it confirms nothing any more. */
export interface StopReport {
  readonly term: number;
  readonly operation: string;
  readonly member: string;
  readonly incarnation: string;
  readonly stoppedAt: string;
}

/** What a Postgres that takes writes did in the busiest second of the last minute. */
export interface ProgressPeak {
  readonly decisionsPerSecond: number;
  readonly bytesPerSecond: number;
  /** Shard -> its own busiest second; shards that decided nothing are left out. */
  readonly shards: Readonly<Record<string, number>>;
}

/**
 * What a member's Postgres held a moment ago, as its agent last published it. It outlives its writer, and proves nothing: it is
 * what a regional failover knows of a member that is silent.
 */
export interface ProgressRecord {
  readonly member: string;
  readonly incarnation: string;
  /** The term that this Postgres has adopted; null before the first. */
  readonly term: number | null;
  readonly timeline: number;
  /** A standby: replayed up to here; else flushed. */
  readonly lsn: string;
  /** Shard -> head position, where it is above 0. */
  readonly positions: Readonly<Record<string, string>>;
  /** Equal for equal lineages, whatever their size. */
  readonly lineageDigest: string;
  /** A standby: the commit time of what it replayed last; else null. */
  readonly replayedUntil: string | null;
  /** Null for a standby. */
  readonly peak: ProgressPeak | null;
  /** Read before everything else: all that was committed by then is in it. */
  readonly at: string;
}

/** The promoted leader's own report, verified by the coordinator against the decided prefix. */
export interface PromotionReport {
  readonly term: number;
  readonly operation: string;
  readonly member: string;
  readonly timeline: number;
  readonly switchLsn: string;
  readonly positions: Readonly<Record<string, string>>;
  readonly promotedAt: string;
}

/** What a switchover asks of the leader's and the target's agents. It grants nothing: the authority's phase does. */
export interface HandoverRequest {
  readonly operation: string;
  readonly term: number;
  readonly leader: string;
  readonly target: string;
  /** Of the target's data. */
  readonly incarnation: string;
  /** Of the write pause; the leader gives its followers half of it to catch up. */
  readonly budgetMs: number;
}

/** The leader has made a checkpoint for this operation: its shutdown will be short. */
export interface HandoverReady {
  readonly operation: string;
  readonly term: number;
  readonly member: string;
  /** How long the last checkpoint took. */
  readonly checkpointMs: number;
  readonly at: string;
}

/** Where a leader's log ended when it was shut down cleanly. */
export interface HandoverEnd {
  readonly timeline: number;
  /** Of the shutdown checkpoint, the last record that was ever written there. */
  readonly checkpointLsn: string;
  readonly positions: Readonly<Record<string, string>>;
}

/** What became of a request to hand over, by the leader's own agent. */
export type HandoverReport = {
  readonly operation: string;
  readonly term: number;
  readonly member: string;
  readonly incarnation: string;
  readonly at: string;
} & (
  | { readonly outcome: 'handed-over'; readonly end: HandoverEnd }
  /** It backed out: it leads as before. */
  | { readonly outcome: 'kept'; readonly reason: string }
);
