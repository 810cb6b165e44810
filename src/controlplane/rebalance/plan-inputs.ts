import type { Contract } from '../../domain/contract.ts';
import type { ShardRecord } from '../../domain/records.ts';
import type { ShardId } from '../../domain/shard.ts';
import type { ReplicationRoom } from '../../postgres/queries/replication-room.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { RebalancePlan } from './plan-types.ts';
import type { ShardCosts } from './shard-cost.ts';

/** What is to be planned. */
export type RebalanceAsk =
  | { readonly kind: 'balance' }
  | { readonly kind: 'drain'; readonly cluster: string }
  | { readonly kind: 'named'; readonly shards: readonly ShardId[]; readonly to: string };

export interface PlanLimits {
  /** Shards may leave their home region. */
  readonly anyRegion: boolean;
  /** At most so many shards move. */
  readonly shardsMax: number;
  /** How far above its fair share a cluster may get, as a fraction. */
  readonly tolerance: number;
  /** Streams of a cluster that copy at the same time. */
  readonly concurrentCopiesMax: number;
  readonly pauseBudgetMs: number;
  readonly verifyMaxAgeMs: number;
}

/** What a cluster's leader answered; `unreachable`: why it didn't. */
export type MeasuredCluster =
  | {
      readonly kind: 'measured';
      readonly costs: ShardCosts;
      readonly room: ReplicationRoom;
      /** What its agent reports; null: nobody does, which is not none. */
      readonly diskFreeBytes: string | null;
    }
  | { readonly kind: 'unreachable'; readonly why: string };

export interface RebalancePlanInputs {
  readonly ask: RebalanceAsk;
  readonly limits: PlanLimits;
  readonly mapVersion: number | null;
  readonly shards: readonly ShardRecord[];
  readonly clusters: ReadonlyMap<string, ClusterView>;
  readonly measured: ReadonlyMap<string, MeasuredCluster>;
  /** By shard: the operation that moves it. */
  readonly moving: ReadonlyMap<ShardId, string>;
  /** By shard: the issuer that keeps it where it is. */
  readonly pinned: ReadonlyMap<ShardId, string>;
  /** Pairs `from to` of which a stream says that `to` receives from `from`: only its leader can know that. */
  readonly reached: ReadonlySet<string>;
  readonly contract: Contract;
  /** Wall clock. */
  readonly nowMs: number;
}

export interface PlannedRebalance {
  readonly plan: RebalancePlan;
  /** What could not be found out, and what the plan leaves undone. */
  readonly warnings: readonly string[];
}
