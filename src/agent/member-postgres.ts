import type { LocalFacts } from './action.ts';
import type { Session } from './local-session.ts';
import type { ShutdownMode } from './postmaster.ts';
import type { OwnPosition, SourceHistory } from './timeline-history.ts';

/** What the running Postgres says of itself. */
export interface RunningFacts {
  readonly recovering: boolean;
  /** Changes with each start. */
  readonly serverRun: string;
}

/** The one Postgres beside an agent, as the reconciler's actions see it; LocalPostgres is it. */
export interface MemberPostgres {
  /** For the reconciler's looks and actions. */
  readonly admin: Session;
  session(
    purpose: string,
    role: 'superuser' | 'agent',
    options?: { readonly waits?: boolean; readonly timeoutMs?: number },
  ): Session;
  data(): Promise<LocalFacts['data']>;
  pid(): Promise<number | undefined>;
  /** Undefined: it doesn't answer (yet). */
  running(): Promise<RunningFacts | undefined>;
  /** Whom the standby follows, as its running Postgres has read it. */
  upstream(running: RunningFacts | undefined): Promise<string | null>;
  writeUpstream(leader: { readonly member: string; readonly name: string } | null): Promise<void>;
  writeSyncNames(names: string): Promise<void>;
  reload(): Promise<void>;
  /** Starts it with the files as they are and waits until it answers, or `ready` says so. */
  start(signal: AbortSignal, ready?: () => Promise<boolean>): Promise<void>;
  /** Ends it for certain. */
  stop(mode: ShutdownMode, stepMs?: number): Promise<void>;
  /** Whether no process of it is left; what a killed postmaster left behind is ended first. */
  hasEnded(): Promise<boolean>;
  markStandby(): Promise<void>;
  discardData(): Promise<void>;
  /** Whether a valid record follows in the local WAL. */
  hasRecordAfter(position: Pick<OwnPosition, 'lsn' | 'timeline'>): Promise<boolean>;
  /** Asks another member's Postgres for its timeline history. */
  historyOf(member: string): Promise<SourceHistory>;
  /** Whether another member's host refuses connections to its Postgres: it answers, and nothing listens. */
  isRefusedBy(member: string): Promise<boolean>;
}
