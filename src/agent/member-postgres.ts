import type { LocalFacts } from './action.ts';
import type { Session } from './local-session.ts';
import type { ShutdownMode } from './postmaster.ts';
import type { LogPoint, OwnPosition, SourceHistory, TimelineSwitch } from './timeline-history.ts';

/** What the running Postgres says of itself. */
export interface RunningFacts {
  readonly recovering: boolean;
  /** Changes with each start. */
  readonly serverRun: string;
}

/** What the control file of a Postgres says that doesn't run. */
export interface ControlData {
  readonly cleanlyShutDown: boolean;
  /** Where its latest checkpoint record begins; after a clean shutdown it is the last record. */
  readonly checkpointLsn: string;
  readonly timeline: number;
}

/** The one Postgres beside an agent, as the reconciler's actions see it; LocalPostgres is it. */
export interface MemberPostgres {
  /** For the reconciler's looks and actions. */
  readonly admin: Session;
  /** For agreeing with the map, as the agent's role. Kept, because callers wait while a promoted member adopts its term. */
  readonly adopter: Session;
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
  /** Read from the files: it needn't run. */
  controlData(): Promise<ControlData>;
  discardData(): Promise<void>;
  /** Whether a valid record follows in the local WAL. */
  hasRecordAfter(position: Pick<OwnPosition, 'lsn' | 'timeline'>): Promise<boolean>;
  /** Asks another member's Postgres for its timeline history. */
  historyOf(member: string): Promise<SourceHistory>;
  /** How a timeline of the data here came to be; undefined: no file tells. */
  switchesBefore(timeline: number): Promise<readonly TimelineSwitch[] | undefined>;
  /** Why the log here before a point may be another than the leader's, whatever both histories say. */
  whyAnotherLog(leader: string, point: LogPoint): Promise<string | undefined>;
  /** Whether another member's host refuses connections to its Postgres: it answers, and nothing listens. */
  isRefusedBy(member: string): Promise<boolean>;
}
