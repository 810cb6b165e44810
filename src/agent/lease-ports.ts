import type { ClockReading } from '../clock/clock.ts';
import type { Versioned } from '../controlplane/store.ts';
import type { AuthorityRecord, InSyncRecord } from '../domain/records.ts';
import type { Extension } from '../reservations/lease-sql.ts';

/** What the reconciler has proved: this Postgres is open under this authority, with this follower set in force. */
export interface Duty {
  readonly epoch: number;
  readonly authority: Versioned<AuthorityRecord>;
  readonly record: Pick<InSyncRecord, 'voters' | 'required' | 'degraded'>;
  /** `synchronous_standby_names` as it is in force. */
  readonly names: string;
  /** Changes with each start of Postgres. */
  readonly serverRun: string;
}

/** How long decisions may go on without a new proof of the remote replay, and what answers say of it. */
export interface RpoRight {
  /** Wall-clock milliseconds; null: not bounded. */
  readonly untilWallMs: number | null;
  readonly lagMs: number | null;
  readonly claim: string | null;
}

export interface LeaseTimes {
  readonly grantId: string;
  /** The clocks as they were before the renewal was sent. */
  readonly countedFrom: ClockReading;
  /** From then on, margin already taken off. */
  readonly validForMs: number;
  readonly rpo: RpoRight;
}

/** What the keeper does outside itself; each call has a deadline of its own. */
export interface KeeperPorts {
  /** One transaction that compares the authority. False: the compare failed. Throws when nothing is known. */
  readonly renew: (options: {
    readonly duty: Duty;
    readonly grantId: string;
    readonly sequence: number;
    readonly timeoutMs: number;
  }) => Promise<boolean>;
  /** Whether every recorded follower has flushed all that this leader has. */
  readonly followersHoldAll: (duty: Duty) => Promise<boolean>;
  readonly grantRow: (duty: Duty, times: LeaseTimes) => Promise<void>;
  readonly extendRow: (times: LeaseTimes) => Promise<Extension>;
  readonly closeAdmission: (reason: string) => Promise<void>;
  /** An immediate shutdown: when Postgres can't be told. */
  readonly stopPostgres: (reason: string) => Promise<void>;
  /** Undefined while it isn't settled whether the RPO claim bounds decisions: nothing is granted before. */
  readonly rpo: () => RpoRight | undefined;
  /** Told after each write to the row that carries `rpo`. */
  readonly rpoApplied: (rpo: RpoRight) => void;
}
