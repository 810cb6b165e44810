import type { InSyncRecord, MemberRole } from '../../domain/records.ts';

export type MembershipAction = 'add' | 'promote' | 'remove';

/** Why a plan can't be run; `override` is the flag that accepts it knowingly, when there is one. */
export interface MembershipRefusal {
  readonly code: string;
  readonly message: string;
  readonly override: string | null;
  readonly next: string;
}

/** The same for a dry run and a run. `hash` changes when anything changes that the decision rests on. */
export interface MembershipPlan {
  readonly kind: 'membership';
  readonly action: MembershipAction;
  readonly cluster: string;
  readonly member: string;
  readonly region: string;
  readonly hash: string;
  readonly term: number;
  readonly epoch: number;
  readonly leader: string | null;
  /** In the membership now; null: it isn't in it. */
  readonly role: MemberRole | null;
  /** Where this ends; null: out of the membership. */
  readonly goal: MemberRole | null;
  readonly inSync: InSyncRecord | null;
  /** It is so already: a run changes nothing. */
  readonly done: boolean;
  /** The leader is its own durable set afterwards, until another voter is added. */
  readonly leavesDegraded: boolean;
  readonly steps: readonly string[];
  readonly pause: string;
  readonly risk: string;
  readonly approvals: readonly string[];
  readonly refusals: readonly MembershipRefusal[];
}
