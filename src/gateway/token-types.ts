import type { AnswerFacts, Outcome } from '../reservations/types.ts';
import type { LeaderConnection } from './leader-connections.ts';
import type { LossBook } from './loss-book.ts';
import type { RouteTable } from './route-table.ts';

/** Who answered, under which authority, and how long its right still ran. Null: not known. */
export interface Evidence {
  readonly shard: number | null;
  readonly cluster: string | null;
  readonly member: string | null;
  readonly generation: number | null;
  readonly term: number | null;
  readonly epoch: number | null;
  /** The shard's head when this was true. */
  readonly position: string | null;
  readonly commit_token: string | null;
  readonly lease_left_ms: number | null;
  readonly degraded: boolean | null;
}

/** One authority that answered a search over all clusters. */
export interface Asked {
  readonly cluster: string;
  readonly member: string;
  readonly term: number;
  readonly epoch: number;
  readonly lease_left_ms: number;
}

export type TokenStatus = 'confirmed' | 'rejected' | 'abandoned' | 'lost' | 'not_found' | 'unknown';

/** A decision that a failover lost, by its report. */
export interface LostOutcome {
  readonly operation: string;
  readonly commit_token: string;
  readonly outcome: string;
  readonly maybe_acknowledged: boolean;
}

export interface TokenResolution {
  readonly status: TokenStatus;
  readonly token: string;
  readonly issuer: string | null;
  readonly outcome: Outcome | null;
  readonly lost: LostOutcome | null;
  /** Whether settling it is what makes it final. */
  readonly settleable: boolean;
  /** Why it is unknown, or what to bear in mind, for a person; else null. */
  readonly detail: string | null;
  /** Every issuer that knows the token, when no issuer was named and several do. */
  readonly issuers: readonly string[];
  /** The evidence of a search that found nothing: every cluster's authority, as it answered. Else empty. */
  readonly asked: readonly Asked[];
  readonly evidence: Evidence;
  readonly facts: AnswerFacts | null;
}

export interface TokenResolutionOptions {
  readonly routes: RouteTable;
  readonly losses: LossBook;
  /** A connection to a cluster's leader that may ask; rejects when there is none in time. */
  readonly take: (cluster: string, leader: string) => Promise<LeaderConnection>;
  readonly token: string;
  /** Without it, every cluster's authority is asked; if one can't be asked, the answer is `unknown`. */
  readonly issuer?: string | undefined;
  readonly deadlineMs: number;
}
