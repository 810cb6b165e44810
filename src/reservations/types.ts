import type { ShardId } from '../domain/shard.ts';
import type { FenceReason } from '../domain/sqlstate.ts';

/** The authority that a caller believes in; Postgres refuses when it knows another. */
export interface Scope {
  readonly cluster: string;
  readonly epoch: number;
  readonly shard: ShardId;
  readonly generation: number;
  readonly term: number;
}

interface CommandBase {
  readonly issuer: string;
  /** The reservation token: unique within the issuer. */
  readonly token: string;
  readonly desk: string;
}
/** `hash`: from `bodyHash` in hash.ts; binds issuer, desk, command and body to the token. */
interface HashedCommand extends CommandBase {
  readonly hash: string;
}
/** `notional` and `limit` are cents as text. */
export interface ReserveCommand extends HashedCommand {
  readonly kind: 'reserve';
  readonly reservation: string;
  readonly notional: string;
}
export interface ReleaseCommand extends HashedCommand {
  readonly kind: 'release';
  readonly reservation: string;
}
export interface SetLimitCommand extends HashedCommand {
  readonly kind: 'set-limit';
  readonly limit: string;
}
export interface CorrectCommand extends HashedCommand {
  readonly kind: 'correct';
  readonly limit: string;
  readonly reason: string;
}
/** Writes `abandoned` under a token that is unknown; else reports its outcome. */
export interface SettleCommand extends CommandBase {
  readonly kind: 'settle';
}
export type Command = ReserveCommand | ReleaseCommand | SetLimitCommand | CorrectCommand | SettleCommand;

export type OutcomeKind = 'confirmed' | 'rejected' | 'abandoned';
export type RejectionReason = 'insufficient_headroom' | 'already_released';
export type CommandRefusal =
  | 'token_reused'
  | 'reservation_exists'
  | 'reservation_not_found'
  | 'issuer_not_found'
  | 'not_your_reservation';

/** A decision, final for its token. Amounts are cents as text; position, generation and term name it for ever. */
export interface Outcome {
  readonly outcome: OutcomeKind;
  readonly replayed: boolean;
  readonly command: Command['kind'];
  readonly position: string;
  readonly generation: number;
  readonly term: number;
  readonly reason: RejectionReason | null;
  readonly reservation: string | null;
  readonly notional: string | null;
  /** Headroom right after the decision; negative while the issuer is over its limit. Null when abandoned without an issuer. */
  readonly remaining: string | null;
  readonly reserved_after: string | null;
  readonly limit_after: string | null;
  readonly decided_at: string;
}
/** The command had no effect and took no position; the same token may be used again. */
export interface RefusedCommand {
  readonly refused: CommandRefusal;
}
export type CommandResult = Outcome | RefusedCommand;

export const isRefusedCommand = (result: CommandResult): result is RefusedCommand => 'refused' in result;

/** What Postgres said of the authority and its claim, in the answer itself. */
export interface AnswerFacts {
  readonly shard: ShardId;
  readonly generation: number;
  readonly term: number;
  readonly epoch: number;
  /** The answer counts only within this many milliseconds of having been asked. */
  readonly left_ms: number;
  readonly degraded: boolean;
  readonly rpo_lag_ms: number | null;
  readonly rpo_claim: string | null;
}
export interface DecideAnswer extends AnswerFacts {
  readonly outcomes: readonly CommandResult[];
}

/** What the authority knows of a token. `position` is the shard's head; the answer is true at that position. */
export interface ResolveAnswer extends AnswerFacts {
  readonly status: OutcomeKind | 'not_found';
  readonly head_position: string;
  readonly leader: string;
  /** What the token is bound to; null while it is unknown, and for one that was settled before its original came. */
  readonly hash: string | null;
  readonly outcome: Outcome | null;
}

/** Which issuers know a token, as one cluster's leader shows it: where to ask, not what to report. */
export interface FindTokenAnswer extends AnswerFacts {
  readonly leader: string;
  /** At most 11, so that more than ten can be told from ten. */
  readonly found: readonly { readonly shard: ShardId; readonly issuer: string }[];
}

export interface OpenReservation {
  readonly reservation: string;
  readonly desk: string;
  readonly notional: string;
  readonly token: string;
  readonly decided_position: string;
  readonly decided_at: string;
}
export interface IssuerAnswer extends AnswerFacts {
  readonly found: boolean;
  readonly head_position: string;
  readonly leader: string;
  readonly limit: string | null;
  readonly reserved: string | null;
  readonly open_count: number | null;
  readonly position: string | null;
  /** Ordered by reservation id, after `after`; empty unless asked for. */
  readonly open: readonly OpenReservation[];
  readonly more: boolean;
}

/** Why an answer doesn't say what happened. */
export type UnknownWhy =
  /** The reply came after the lease or RPO right that it was given under. */
  | 'late'
  /** No reply within the caller's deadline. */
  | 'deadline'
  | 'connection_lost'
  /** A warning came with the reply: a wait for the follower may have been cancelled. */
  | 'warning'
  /** An error outside the fence's own SQLSTATEs. */
  | 'server_error';

/** Provably no effect. `busy`: the head row could not be locked in time, or the lease was granted anew at this moment. */
export interface Refused {
  readonly kind: 'refused';
  readonly reason: FenceReason | 'busy';
  readonly sqlState: string;
  readonly message: string;
  readonly connectionUsable: boolean;
}
/** May or may not have taken effect. */
export interface Unknown {
  readonly kind: 'unknown';
  readonly why: UnknownWhy;
  readonly message: string;
  readonly sqlState: string | null;
  /** False: the caller must destroy the connection (a reply may still arrive on it). */
  readonly connectionUsable: boolean;
}
export type Decided = { readonly kind: 'decided'; readonly elapsedMs: number } & DecideAnswer;
export type Resolved = { readonly kind: 'resolved'; readonly elapsedMs: number } & ResolveAnswer;
export type TokenFound = { readonly kind: 'found'; readonly elapsedMs: number } & FindTokenAnswer;
export type IssuerRead = { readonly kind: 'read'; readonly elapsedMs: number } & IssuerAnswer;

export type DecideResult = Decided | Refused | Unknown;
export type ResolveResult = Resolved | Refused | Unknown;
export type FindTokenResult = TokenFound | Refused | Unknown;
export type ReadIssuerResult = IssuerRead | Refused | Unknown;
