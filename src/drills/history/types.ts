/**
 * A history: what clients saw, and what was done to the estate meanwhile. JSON Lines, by one recorder with one monotonic
 * clock. `i` rises by one a line, `t` is milliseconds since the recorder began. src/drills/SPEC.md says what each line
 * means; amounts are decimal text, positions are decimal text.
 */

/** The first line, if there is one: a history of somebody else's may lack it. */
export interface HeaderLine {
  readonly i: number;
  readonly t: number;
  readonly kind: 'header';
  readonly format: 'capstan-history/1';
  readonly drill: string | null;
  readonly seed: number | null;
  /** Of the Capstan that recorded it. */
  readonly version: string;
  readonly startedAt: string;
  readonly shardCount: number | null;
  /** A right outlives the authority that granted it by this at most; null: unknown, and not judged. */
  readonly leaseTtlMs: number | null;
  readonly options: Readonly<Record<string, unknown>>;
}

export type Action =
  | 'reserve'
  | 'release'
  | 'set-limit'
  | 'correct'
  | 'settle'
  | 'resolve'
  | 'read-issuer'
  | 'read-open';

/** What was asked. A process has one request under way at a time; its next completion line answers it. */
export interface Request {
  readonly process: string;
  readonly action: Action;
  readonly issuer: string;
  /** Null for reads. */
  readonly token: string | null;
  /** Of a reserve. */
  readonly notional?: string | null;
  /** Of a set-limit or a correct. */
  readonly limit?: string | null;
  /** The reservation that a release names, or that a reserve asks for. */
  readonly reservation?: string | null;
  readonly desk?: string | null;
  /** The commit token that a read was bound to. */
  readonly at_least?: string | null;
  /** How old a read's state was to be at most. */
  readonly max_staleness_ms?: number | null;
  /** Which gateway, or `direct <member>`. */
  readonly via: string;
}

export interface InvokeLine extends Request {
  readonly i: number;
  readonly t: number;
  readonly kind: 'invoke';
}

/** `not_found`: the authority knows no such token. */
export type Outcome = 'confirmed' | 'rejected' | 'abandoned' | 'not_found' | 'lost';

/** What a decision said of itself; null is `not said`. */
export interface DecisionResult {
  readonly outcome: Outcome;
  readonly reason: string | null;
  readonly position: string | null;
  readonly commit_token: string | null;
  readonly reservation: string | null;
  /** Limit less reserved, as of the decision. */
  readonly remaining: string | null;
  readonly reserved_after: string | null;
  readonly limit_after: string | null;
  readonly replayed: boolean | null;
  /** Of a `lost` one: the operation that lost it. */
  readonly lost_by?: string | null;
  /** SHA-256 (first 16 hex digits) of the answer's body less what may differ between a decision and its replay. */
  readonly digest: string | null;
}

/** What a read showed of an issuer. */
export interface ReadResult {
  readonly limit: string | null;
  readonly reserved: string | null;
  readonly open_count: number | null;
  /** Reservation -> notional; null when the read did not list them all. */
  readonly open: Readonly<Record<string, string>> | null;
}

/** The state that a read claims to show: everything of the shard (or of the issuer) up to a position. */
export interface AsOf {
  readonly shard: number | null;
  readonly position: string;
  readonly generation: number | null;
  readonly term: number | null;
  /** Null: nothing was said, so it counts as fresh; `unknown`: it was said that this can't be told. */
  readonly staleness_ms: number | 'unknown' | null;
  readonly served_by: string | null;
}

/**
 * `ok`: an outcome or a state was reported (a rejection is `ok`). `fail`: the answer promised that there was no effect.
 * `info`: anything may have happened: 202 `unknown`, a time-out, a reset, any other 5xx.
 */
export interface CompletionLine extends Request {
  readonly i: number;
  readonly t: number;
  readonly kind: 'ok' | 'fail' | 'info';
  readonly result: DecisionResult | ReadResult | null;
  readonly as_of: AsOf | null;
  readonly http: number | null;
  /** A problem's code or a transport error's. */
  readonly code: string | null;
}

export interface FaultLine {
  readonly i: number;
  readonly t: number;
  readonly kind: 'fault';
  /** `began`: in force from here on; `healed`: no longer; `failed`: could not be injected or healed. */
  readonly phase: 'began' | 'healed' | 'failed';
  readonly fault: string;
  readonly target: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** A member was asked at some moment from `asked_t` to `t`, and held a right to decide that its fence would accept. */
export interface AuthorityLine {
  readonly i: number;
  readonly t: number;
  readonly kind: 'authority';
  readonly asked_t: number;
  readonly cluster: string;
  readonly member: string;
  readonly term: number;
}

/**
 * `began`: from here on the leader of a cluster reaches neither etcd's quorum nor its followers elsewhere, so that its right
 * under this term can't be renewed; `ended`: it may reach them again.
 */
export interface IsolatedLine {
  readonly i: number;
  readonly t: number;
  readonly kind: 'isolated';
  readonly phase: 'began' | 'ended';
  readonly cluster: string;
  readonly member: string;
  readonly term: number;
}

/** Where a shard's log stood before the workload: what is at or below it belongs to others. */
export interface BaseLine {
  readonly i: number;
  readonly t: number;
  readonly kind: 'base';
  readonly shard: number;
  readonly position: string;
}

/** Read back at the end, from the authority, in one snapshot a shard: head, then lineage, then each entry after the base. */
export interface HeadLine {
  readonly i: number;
  readonly t: number;
  readonly kind: 'head';
  readonly shard: number;
  readonly cluster: string;
  readonly position: string;
}
export interface LineageLine {
  readonly i: number;
  readonly t: number;
  readonly kind: 'lineage';
  readonly shard: number;
  readonly generation: number;
  readonly term: number;
  readonly first_position: string;
  readonly cluster: string;
  readonly reason: string;
}
export interface LogLine {
  readonly i: number;
  readonly t: number;
  readonly kind: 'log';
  readonly shard: number;
  readonly position: string;
  readonly generation: number;
  readonly term: number;
  readonly event:
    | 'reserved'
    | 'reserve_rejected'
    | 'released'
    | 'release_rejected'
    | 'limit_set'
    | 'corrected'
    | 'abandoned';
  readonly issuer: string;
  readonly token: string;
  readonly reservation: string | null;
  readonly amount: string | null;
  readonly reserved_after: string | null;
  readonly limit_after: string | null;
}

/** A decision that a loss report names: it may be missing at the end. */
export interface LostLine {
  readonly i: number;
  readonly t: number;
  readonly kind: 'lost';
  readonly issuer: string;
  readonly token: string;
  readonly commit_token: string;
  readonly operation: string;
}

/** A failover to another region, as its journal and the signed-off report tell of it. Counts are decisions, of whomever. */
export interface LossLine {
  readonly i: number;
  readonly t: number;
  readonly kind: 'loss';
  readonly cluster: string;
  readonly operation: string;
  /** Decided under this term or before: the new authority's log goes on under a later one. */
  readonly former_term: number;
  /** What its plan said, null: not known; and what was accepted of it by somebody, null: nothing. */
  readonly forecast: number | null;
  readonly exposure_ms: number | null;
  readonly budget_ms: number;
  readonly accepted: number | null;
  /** Above this it would not have been decided. */
  readonly allowed: number;
  /** What the report names; null: it isn't signed off. */
  readonly lost: number | null;
}

export type HistoryLine =
  | HeaderLine
  | InvokeLine
  | CompletionLine
  | FaultLine
  | AuthorityLine
  | IsolatedLine
  | BaseLine
  | HeadLine
  | LineageLine
  | LogLine
  | LostLine
  | LossLine;

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** A line before the recorder has numbered and timed it. */
export type HistoryEntry = Without<HistoryLine, 'i' | 't'>;

/** Numbers, times and keeps lines in the order in which they are handed over. */
export interface HistoryRecorder {
  /** Milliseconds since the recorder began. */
  now(): number;
  record(entry: HistoryEntry): void;
}
