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
  /** The position at which it came from another cluster: below it the owner doesn't open. Absent: it never did. */
  readonly handover?: string;
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
