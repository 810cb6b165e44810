/** What a rejoin asks of a member's agent, and what the agent answers (src/controlplane/SPEC.md, "Rejoin"). */

/** `rewind` ends in a new clone too, on any doubt. */
export type RejoinMethod = 'rewind' | 'reclone';

/** The agent follows it only under this term, and only for the data of this incarnation. */
export interface RejoinRequest {
  readonly operation: string;
  readonly member: string;
  readonly stage: 'salvage' | 'restore';
  readonly term: number;
  /** Null: there is data, but no memory of it beside it. */
  readonly incarnation: string | null;
  readonly method: RejoinMethod;
  readonly since: string;
}

/** All that the member's data holds beyond the kept log is in etcd. */
export interface SalvageReport {
  readonly operation: string;
  readonly member: string;
  readonly incarnation: string | null;
  readonly term: number;
  readonly found: number;
  /** The operation under whose report the entries lie: the failover that lost them, else the rejoin itself. */
  readonly under: string;
  readonly timeline: number;
  readonly lsn: string;
  readonly salvagedAt: string;
}

/** How a member's data was made anew. `operation` is null where its agent did it by itself. */
export interface RestoreReport {
  readonly operation: string | null;
  readonly member: string;
  readonly formerIncarnation: string | null;
  readonly incarnation: string;
  readonly method: RejoinMethod;
  /** Why it was recloned. */
  readonly reason: string | null;
  readonly restoredAt: string;
}
