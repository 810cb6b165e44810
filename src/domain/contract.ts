import type { LogCadence, ReadPolicy } from './reading.ts';

/** What agents may do without a person. An estate that was made before this existed has none: nothing is automatic. */
export interface FailoverPolicy {
  readonly automatic: boolean;
  /** Waited beyond the lapse of a lease: its TTL and the drift. */
  readonly graceMs: number;
  /** A leader whose Postgres refuses connections and whose agent is silent for this long counts as dead; absent: only its lapse counts. */
  readonly deadAfterMs?: number;
  /** An operation whose coordinator was not heard of for this long is adopted. */
  readonly adoptAfterMs: number;
  /** At most `max` automatic failovers of a cluster begin within `withinMs`; then a person is needed. */
  readonly flap: { readonly max: number; readonly withinMs: number };
}

/**
 * What is done while the RPO claim can't be kept:
 * - `throttle`: decisions go on slowed, without the claim;
 * - `close`: decisions are refused;
 * - `degrade`: decisions go on, without the claim.
 */
export type RpoAction = 'throttle' | 'close' | 'degrade';

/** How old an answer of the projections may be before it says so. */
export interface ProjectionBudgets {
  readonly dashboardMs: number;
  readonly searchMs: number;
  readonly riskMs: number;
}

/** Of an estate that was made before its contract had any. */
export const PROJECTION_BUDGETS_DEFAULT: ProjectionBudgets = {
  dashboardMs: 2_000,
  searchMs: 5_000,
  riskMs: 10_000,
};

/** The budgets of `contract.yaml`, in milliseconds and counts. Parsed by src/config/contract.ts. */
export interface Contract {
  readonly version: number;
  readonly lease: {
    readonly ttlMs: number;
    readonly renewEveryMs: number;
    readonly marginMs: number;
    readonly driftMs: number;
  };
  readonly durability: { readonly openDegraded: boolean };
  readonly rpo: {
    readonly budgetMs: number;
    readonly gateMs: number;
    readonly releaseMs: number;
    readonly action: RpoAction;
    /** How fast each gateway lets a cluster decide; there exactly when `action` is `throttle`. */
    readonly throttle?: { readonly decisionsPerSecond: number };
  };
  readonly rto: { readonly maxMs: number };
  readonly failover?: FailoverPolicy;
  readonly movePause: { readonly maxMs: number };
  readonly deadlines: {
    readonly decisionMs: number;
    readonly readMs: number;
    readonly lockWaitMs: number;
    readonly etcdMs: number;
    readonly freezeMs: number;
    readonly promoteMs: number;
    readonly openMs: number;
  };
  readonly projections?: ProjectionBudgets;
  /** An estate that was made before these existed has neither: src/domain/reading.ts says what holds then. */
  readonly log?: LogCadence;
  readonly reads?: ReadPolicy;
  readonly admission: { readonly queuePerShardMax: number; readonly batchCommandsMax: number };
  readonly liveness: {
    readonly heartbeatEveryMs: number;
    readonly heartbeatTtlMs: number;
    readonly clockSkewMaxMs: number;
  };
}
