import type {
  FreezeReport,
  HandoverEnd,
  HandoverReport,
  HandoverRequest,
  PromotionReport,
  StopReport,
} from '../domain/agent-reports.ts';
import type {
  AuthorityRecord,
  ClusterRecord,
  MemberRecord,
  MemberState,
  MembershipRecord,
} from '../domain/records.ts';
import type { RejoinMethod, RejoinRequest, SalvageReport } from '../domain/rejoin-records.ts';
import type { AgentMemory } from './memory.ts';

/** What etcd says of the cluster; undefined: there is no such record. */
export interface EstateFacts {
  readonly incarnation: string;
  readonly mapVersion: number;
  readonly record: ClusterRecord | undefined;
  readonly authority: AuthorityRecord | undefined;
  readonly membership: MembershipRecord | undefined;
  readonly members: Readonly<Record<string, MemberRecord>>;
  /** This member's own reports. */
  readonly frozen: FreezeReport | undefined;
  readonly stopped: StopReport | undefined;
  readonly promotion: PromotionReport | undefined;
  /** Of the latest lease record. */
  readonly leaseTerm: number | null;
  readonly handover: HandoverRequest | undefined;
  readonly handedOver: HandoverReport | undefined;
  readonly rejoin: RejoinRequest | undefined;
  readonly salvaged: SalvageReport | undefined;
  /** The failovers whose loss names this member and isn't signed off. */
  readonly openLosses: readonly string[];
}

/** What this member's data directory and Postgres are. */
export interface LocalFacts {
  /** `primary`: opened, or about to open, for writing; `standby`: has its standby.signal. */
  readonly data: 'absent' | 'incomplete' | 'primary' | 'standby';
  /** `starting`: the process is there but doesn't answer (yet). */
  readonly process: 'stopped' | 'starting' | 'running';
  /** Whether the running Postgres is in recovery; null: not running. */
  readonly recovering: boolean | null;
  /** Whom it follows: `member_incarnation`; null: no one; `UNREAD` while Postgres and the file on disk differ. */
  readonly upstream: string | null;
  /** The highest term in Postgres's `cluster_state`; null: not asked or not there. */
  readonly storedTerm: number | null;
  readonly storedEpoch: number | null;
  /** The map version that this Postgres was last reconciled with under this term by this agent. */
  readonly reconciledMapVersion: number | null;
}

export type Action =
  /** Nothing to do but say so. */
  | { readonly kind: 'hold'; readonly state: MemberState; readonly reason: string | null }
  | { readonly kind: 'bootstrap' }
  | { readonly kind: 'discard-incomplete' }
  | { readonly kind: 'clone'; readonly leader: string }
  | { readonly kind: 'start'; readonly as: 'primary' | 'standby' }
  | { readonly kind: 'follow'; readonly leader: MemberRecord }
  | { readonly kind: 'register' }
  | { readonly kind: 'freeze'; readonly term: number; readonly operation: string }
  | { readonly kind: 'report-stopped'; readonly term: number; readonly operation: string }
  | { readonly kind: 'promote' }
  /** Report once all that the leader handed over is replayed here. */
  | {
      readonly kind: 'take-over';
      readonly term: number;
      readonly operation: string;
      readonly end: HandoverEnd;
    }
  /** Shut this leader down, so that the target holds all that it has. */
  | { readonly kind: 'hand-over'; readonly request: HandoverRequest }
  /** Data that was handed over becomes a standby's. */
  | { readonly kind: 'demote' }
  | { readonly kind: 'adopt' }
  | { readonly kind: 'lead' }
  | { readonly kind: 'stop'; readonly state: MemberState; readonly reason: string }
  | { readonly kind: 'quarantine'; readonly reason: string }
  /** Keeps what shut data holds beyond the leader's log. */
  | { readonly kind: 'salvage'; readonly request: RejoinRequest; readonly leader: MemberRecord }
  | {
      readonly kind: 'restore';
      readonly operation: string | null;
      readonly method: RejoinMethod;
      readonly leader: MemberRecord;
    }
  /** Compares rewound data with the leader's. */
  | { readonly kind: 'prove'; readonly leader: MemberRecord }
  /** Rewound data is of no use: it is cloned anew. */
  | { readonly kind: 'reclone'; readonly reason: string };

export interface DecideInput {
  readonly member: string;
  readonly estate: EstateFacts;
  readonly local: LocalFacts;
  readonly memory: AgentMemory;
}

export const hold = (state: MemberState, reason: string | null): Action => ({ kind: 'hold', state, reason });

/** Stops what runs, then holds. */
export function halt(local: LocalFacts, state: MemberState, reason: string): Action {
  return local.process === 'stopped' ? hold(state, reason) : { kind: 'stop', state, reason };
}
