import type { OperationRecord } from '../../domain/operation-records.ts';
import type { InSyncRecord } from '../../domain/records.ts';
import type { AutomaticStanding } from '../automatic/standing.ts';
import type { LossForecast } from './loss-forecast.ts';

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

/** From the fault to the first confirmed decision, against the contract. */
export interface RtoForecast {
  readonly forecastMs: number;
  readonly maxMs: number;
  readonly within: boolean;
  /** Gone since the last renewal. */
  readonly sinceFaultMs: number;
  /** Until a leader that still renews counts as lost; it may be forced. */
  readonly lapseMs: number;
  /** What the fence proof waits at most when nothing proves it sooner. */
  readonly proofMs: number;
  /** From the proof to the first decision. */
  readonly takeOverMs: number;
  readonly basis: string;
}

/** Within the leader's region, without loss; or to another one. */
export type FailoverPath = 'in-region' | 'regional';

/** The same for a dry run and a run. `hash` changes when anything changes that the decision rests on. */
export interface FailoverPlan {
  readonly kind: 'failover';
  /** Absent in plans that were recorded before there was a choice: in region. */
  readonly path: FailoverPath;
  /** The next leader's, when it is another than the present one's. */
  readonly region: string | null;
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
    readonly kind: 'frozen-voters' | 'regional';
    readonly voters: readonly string[];
    readonly needed: number;
    readonly statement: string;
  };
  readonly loss: {
    /** What is forecast, known and possible together; `unknown` when something of it isn't known. */
    readonly decisions: string;
    readonly statement: string;
    /** Null in region: nothing confirmed is lost. */
    readonly forecast: LossForecast | null;
  };
  readonly rto: RtoForecast;
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

export const planOf = (record: Pick<OperationRecord, 'plan'>): FailoverPlan =>
  record.plan as unknown as FailoverPlan;
