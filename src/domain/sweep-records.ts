/** What is left of moves that are over in a cluster's Postgres, and its removal by the leader's agent. */
import type { ShardId } from './shard.ts';

/** Replication objects by name, and shards whose rows are there. Nothing of it belongs to a live stream. */
export interface MoveOrphans {
  readonly subscriptions: readonly string[];
  readonly slots: readonly string[];
  readonly publications: readonly string[];
  /** The map gives them to another cluster, and no live stream copies them here. */
  readonly shards: readonly ShardId[];
}

/**
 * A person asks for the removal of what a look has found. It grants nothing: the leader's agent, holding its lease, drops of it only
 * what it finds to be an orphan itself, by etcd as it is right before: no live stream's prefix, and for rows `capstan.wipe_shards`
 * under this id as the operation, which refuses a shard that is served or sealed there. It answers with a report of the same id. A
 * request is replaced by the next one, whether it was answered or not.
 */
export interface SweepRequest {
  readonly id: string;
  readonly orphans: MoveOrphans;
  /** The map's version by which the shards are another cluster's; a Postgres that has yet to adopt it is waited for, a while. */
  readonly mapVersion: number;
  readonly askedBy: string;
  readonly askedAt: string;
}

/**
 * Written by the leader's agent, comparing its authority's revision and the request's. `swept`: nothing of it is there any more, whoever
 * dropped it. `left`: with why, by name or `shard <n>`.
 */
export interface SweepReport {
  readonly id: string;
  readonly member: string;
  readonly term: number;
  readonly swept: MoveOrphans;
  readonly left: readonly { readonly name: string; readonly why: string }[];
  readonly at: string;
}
