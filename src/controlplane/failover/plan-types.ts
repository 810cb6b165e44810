import type { InSyncRecord } from '../../domain/records.ts';
import type { AutomaticStanding } from '../automatic/standing.ts';

export interface FailoverCandidate {
  readonly member: string;
  readonly incarnation: string;
  readonly region: string;
  readonly timeline: number | null;
  /** From the last heartbeat; the decision is made on what it reports when frozen. */
  readonly replayedLsn: string | null;
  readonly reasons: readonly string[];
}

export interface ExcludedMember {
  readonly member: string;
  readonly region: string;
  readonly reasons: readonly string[];
}

/** Why a plan can't be run; `override` is the flag that accepts it knowingly, when there is one. */
export interface PlanRefusal {
  readonly code: string;
  readonly message: string;
  readonly override: string | null;
  readonly next: string;
}

/** Whether agents would begin this failover by themselves now. */
export interface AutomaticOutlook {
  readonly wouldRun: boolean;
  readonly standing: AutomaticStanding;
  /** What stands in the way; empty exactly when it would run. */
  readonly against: readonly string[];
}

/** The same for a dry run and a run. `hash` changes when anything changes that the decision rests on. */
export interface FailoverPlan {
  readonly kind: 'failover';
  readonly cluster: string;
  readonly hash: string;
  readonly mapVersion: number | null;
  readonly term: number;
  readonly nextTerm: number;
  readonly epoch: number;
  readonly leader: string | null;
  readonly leaderHealthy: boolean;
  readonly inSync: InSyncRecord | null;
  /** Asked for by the operator; null: whichever frozen voter holds most. */
  readonly target: string | null;
  /** Best first, as the last heartbeats tell. */
  readonly candidates: readonly FailoverCandidate[];
  readonly excluded: readonly ExcludedMember[];
  readonly fence: {
    readonly kind: 'frozen-voters';
    readonly voters: readonly string[];
    readonly needed: number;
    readonly statement: string;
  };
  readonly loss: { readonly decisions: string; readonly statement: string };
  readonly pause: {
    /** Measured at this cluster's last failover; null when none was measured. */
    readonly expectedMs: number | null;
    readonly basis: string;
    /** Where the contract's deadlines give up; it is not a forecast. */
    readonly atMostMs: number;
  };
  readonly opensDegraded: boolean;
  readonly approvals: readonly string[];
  readonly automatic: AutomaticOutlook;
  readonly refusals: readonly PlanRefusal[];
}
