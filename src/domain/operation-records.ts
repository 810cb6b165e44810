/** Operations and what surrounds them in etcd: who drives one, when nothing begins by itself, and the audit log. */
import type { MoveGoal, MoveOutcome } from './move-records.ts';

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

export type OperationKind = 'failover' | 'switchover' | 'rejoin' | 'membership' | 'rebalance';

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
  /** Of a rebalance: what a person asked for last. */
  readonly goal?: MoveGoal;
  /** Of a rebalance: how the streams ended that are gone by now. */
  readonly outcomes?: readonly MoveOutcome[];
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
