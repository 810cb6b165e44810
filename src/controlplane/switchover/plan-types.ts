import type { InSyncRecord } from '../../domain/records.ts';
import type { ExcludedMember, FailoverCandidate, PlanRefusal } from '../failover/plan-types.ts';

/** The same for a dry run and a run. `hash` changes when anything changes that the decision rests on. */
export interface SwitchoverPlan {
  readonly kind: 'switchover';
  readonly cluster: string;
  readonly hash: string;
  readonly mapVersion: number | null;
  readonly term: number;
  readonly nextTerm: number;
  readonly epoch: number;
  readonly leader: string | null;
  readonly leaderHealthy: boolean;
  readonly inSync: InSyncRecord | null;
  /** Who leads next: asked for, or the first candidate; null when there is none. */
  readonly target: string | null;
  /** Of the target's data. */
  readonly incarnation: string | null;
  /** Recorded voters that stream near the leader, best first. */
  readonly candidates: readonly FailoverCandidate[];
  readonly excluded: readonly ExcludedMember[];
  readonly loss: { readonly decisions: string; readonly statement: string };
  readonly pause: {
    /** Measured at this cluster's last switchover; null when none was measured. */
    readonly expectedMs: number | null;
    readonly basis: string;
    /** From the contract, or asked for. Half of it is for followers to catch up: beyond that it backs out. */
    readonly budgetMs: number;
  };
  /** The old leader comes back as a follower only after the new one has opened. */
  readonly opensDegraded: boolean;
  readonly approvals: readonly string[];
  readonly refusals: readonly PlanRefusal[];
}
