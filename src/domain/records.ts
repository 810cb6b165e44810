/**
 * The shapes that etcd holds (keys: src/controlplane/keys.ts). Every record is JSON; times are ISO 8601 in UTC and are
 * for people, never compared for authority; LSNs and positions are decimal or `X/Y` strings.
 */
import type { RpoAction } from './contract.ts';
import type { ShardId } from './shard.ts';

/** Written once by `capstan init`; `incarnation` tells a rebuilt etcd from the one that was lost. */
export interface EstateRecord {
  readonly name: string;
  readonly incarnation: string;
  readonly shardCount: number;
  readonly createdAt: string;
}

/** The shard map's one version counter. Every change of any shard's entry raises it in the same transaction. */
export interface MapRecord {
  readonly version: number;
  readonly updatedAt: string;
}

export type ShardState = 'serving' | 'sealed';

/** Who owns a shard. `generation` rises by one at each change of owner. */
export interface ShardRecord {
  readonly shard: ShardId;
  readonly cluster: string;
  readonly generation: number;
  readonly state: ShardState;
  /** The map version that wrote this entry. */
  readonly mapVersion: number;
}

export interface ShardOwner {
  readonly cluster: string;
  readonly generation: number;
}

/** One version of the map as the difference to the one before. */
export interface MapChangeRecord {
  readonly version: number;
  readonly at: string;
  readonly actor: string;
  readonly reason: string;
  readonly operation: string | null;
  readonly changes: readonly { shard: ShardId; from: ShardOwner | null; to: ShardOwner }[];
}

/**
 * - `voter`: may be a synchronous follower, or the leader after an in-region failover.
 * - `observer`: asynchronous, in another region; the RPO claim is proved by it.
 * - `learner`: catching up, or on its way out: it never votes, leads, serves reads or proves a claim.
 */
export type MemberRole = 'voter' | 'observer' | 'learner';

export interface ClusterRecord {
  readonly name: string;
  readonly homeRegion: string;
  readonly bootstrapMember: string;
  readonly createdAt: string;
}

/** Committed before a member votes or serves: `epoch` rises by one at each change of `members`. */
export interface MembershipRecord {
  readonly epoch: number;
  readonly members: Readonly<Record<string, { readonly region: string; readonly role: MemberRole }>>;
}

/** What a member's agent says of its data directory; a new clone is a new incarnation. */
export interface MemberRecord {
  readonly name: string;
  readonly cluster: string;
  readonly region: string;
  readonly incarnation: string;
  readonly systemIdentifier: string;
  readonly registeredAt: string;
}

/**
 * - `bootstrap`: the first member is initialising; nobody confirms.
 * - `fenced`: a failover holds the cluster; no member may take or renew a lease.
 * - `promoting`: the next leader and its exact prefix are decided (the point of no return); it isn't open yet.
 * - `open`: `leader` may hold the lease.
 * - `draining`: a switchover has asked `leader` to hand over; no lease is renewed, and it may still be kept.
 */
export type AuthorityPhase = 'bootstrap' | 'fenced' | 'promoting' | 'open' | 'draining';

/** The log's exact end that a failover decided: what the new leader must hold, no more and no less. */
export interface DecidedPrefix {
  readonly member: string;
  readonly incarnation: string;
  readonly timeline: number;
  readonly lsn: string;
  /** Shard -> head position, for every shard of the cluster that has a head row. */
  readonly positions: Readonly<Record<string, string>>;
}

/** The cluster's authority. `term` rises by one at each change of leader and never falls. */
export interface AuthorityRecord {
  readonly term: number;
  readonly leader: string | null;
  readonly phase: AuthorityPhase;
  readonly operation: string | null;
  readonly prefix: DecidedPrefix | null;
  /** While `fenced`: who freezes. Absent: all. A regional failover lets the others receive until its fence proof stands. */
  readonly freeze?: 'voters' | 'all';
  readonly since: string;
}

export interface Voter {
  readonly member: string;
  readonly incarnation: string;
}

/**
 * The recorded in-sync set: while it stands, every confirmed decision has been flushed by `required` of `voters`.
 * `degraded`: the leader is its own durable set, and every answer says so.
 */
export interface InSyncRecord {
  readonly term: number;
  readonly epoch: number;
  readonly voters: readonly Voter[];
  readonly required: number;
  readonly degraded: boolean;
  readonly since: string;
}

/** The latest renewal of a leader's lease. Written only by a transaction that compares the authority's revision. */
export interface LeaseRecord {
  readonly term: number;
  readonly leader: string;
  readonly grantId: string;
  readonly sequence: number;
  readonly ttlMs: number;
  readonly renewedAt: string;
}

/** What a member's agent is doing with its Postgres. */
export type MemberState =
  | 'starting'
  | 'bootstrapping'
  | 'cloning'
  | 'following'
  | 'frozen'
  | 'promoting'
  | 'opening'
  | 'leading'
  | 'handing-over'
  | 'fenced'
  | 'quarantined'
  | 'stopped';

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

/** The RPO claim of a cluster, under an etcd lease of its leader's agent: valid only until `validUntil`, whoever dies. */
export interface ClaimRecord {
  readonly term: number;
  readonly status: 'advertised' | 'withdrawn';
  readonly reason: string | null;
  readonly budgetMs: number;
  /** Age of the newest entry that the remote follower is known to have replayed; null when never heard. */
  readonly lagMs: number | null;
  readonly validUntil: string | null;
  /** What the contract has done above the gate, as the leader's agent takes it. */
  readonly action: RpoAction;
  /** Each gateway's, for `throttle`. */
  readonly decisionsPerSecond: number | null;
  readonly changedAt: string;
  readonly changedBecause: string;
  readonly at: string;
}

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

/** While it stands no agent fails this cluster over or adopts an operation; past `until` it counts as none. */
export interface PauseRecord {
  readonly by: string;
  readonly reason: string;
  readonly since: string;
  /** As it was asked for; null: until somebody ends it. */
  readonly forMs: number | null;
  readonly until: string | null;
}

export interface TalliedFailover {
  readonly operation: string;
  readonly at: string;
}

/** The automatic failovers of a cluster that were begun lately; each fence adds itself in its own transaction. */
export interface TallyRecord {
  readonly begun: readonly TalliedFailover[];
}

/** Automatic failovers followed one another too fast; a person acknowledges it. */
export interface BlockRecord {
  readonly by: string;
  readonly reason: string;
  readonly since: string;
  readonly failovers: readonly TalliedFailover[];
}

/** A process says that it drives an operation, for as long as its etcd lease lives. It grants nothing. */
export interface CoordinatorRecord {
  readonly operation: string;
  readonly coordinator: string;
  readonly since: string;
}

export type OperationKind = 'failover' | 'switchover' | 'rejoin' | 'membership';
export type OperationStatus = 'running' | 'done' | 'failed' | 'aborted';

export interface OperationStep {
  readonly name: string;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly result: Readonly<Record<string, unknown>> | null;
}

/** A journaled, resumable change. Every write compares the revision that its coordinator holds. */
export interface OperationRecord {
  readonly id: string;
  readonly kind: OperationKind;
  readonly cluster: string;
  readonly status: OperationStatus;
  readonly phase: string;
  readonly actor: string;
  readonly reason: string;
  readonly planHash: string;
  readonly plan: Readonly<Record<string, unknown>>;
  readonly approvals: readonly string[];
  /** The process that drives it now; whoever resumes it takes it over by compare-and-swap. */
  readonly coordinator: { readonly id: string; readonly since: string };
  readonly steps: readonly OperationStep[];
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface AuditRecord {
  readonly id: string;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly operation: string | null;
  readonly planHash: string | null;
  readonly before: unknown;
  readonly after: unknown;
  readonly outcome: 'done' | 'refused' | 'failed' | 'unknown';
  readonly reason: string | null;
}
