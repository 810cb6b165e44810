import type { ShardId } from '../../domain/shard.ts';
import type { PlanRefusal } from '../failover/plan-types.ts';

/** Shards of one cluster that go to one other together: copied, verified and handed over at once. */
export interface PlannedStream {
  readonly stream: number;
  readonly from: string;
  readonly to: string;
  readonly shards: readonly ShardId[];
  readonly rows: string;
  readonly bytes: string;
  readonly decisionsPerSecond: number;
}

/** What a rebalance would move, what that rests on, and what stands against it. */
export interface RebalancePlan {
  readonly kind: 'drain' | 'balance' | 'named';
  readonly mapVersion: number | null;
  readonly streams: readonly PlannedStream[];
  /** Per cluster: what the plan rests on. */
  readonly clusters: Readonly<
    Record<string, { readonly term: number; readonly epoch: number; readonly leader: string }>
  >;
  readonly options: {
    readonly concurrentCopiesMax: number;
    readonly pauseBudgetMs: number;
    readonly verifyMaxAgeMs: number;
  };
  readonly reasons: readonly string[];
  readonly refusals: readonly PlanRefusal[];
  readonly hash: string;
}
