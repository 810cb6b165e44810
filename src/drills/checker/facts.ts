import type {
  Action,
  AsOf,
  AuthorityLine,
  BaseLine,
  CompletionLine,
  HeaderLine,
  HeadLine,
  IsolatedLine,
  LineageLine,
  LogLine,
  LossLine,
  LostLine,
  Outcome,
} from '../history/types.ts';
import type { Amount } from './amount.ts';

/** The history as the rules use it: amounts and positions are numbers, names are shared, lines are joined. */
export interface Facts {
  readonly header: HeaderLine | null;
  /** In the order of their requests. */
  readonly operations: readonly Operation[];
  /** In the order of their answers; those without one are left out. */
  readonly answered: readonly Operation[];
  readonly tokens: readonly Token[];
  readonly issuers: readonly Issuer[];
  readonly shards: readonly Shard[];
  readonly authorities: readonly AuthorityLine[];
  readonly isolated: readonly IsolatedLine[];
  readonly lost: readonly LostLine[];
  readonly losses: readonly LossLine[];
  readonly spanMs: number;
  readonly missingLines: number;
}

export interface Commit {
  readonly shard: number;
  readonly position: number;
  readonly generation: number;
  readonly term: number;
}

export interface Decision {
  readonly outcome: Outcome;
  readonly reason: string | null;
  readonly position: number | null;
  readonly commit: Commit | null;
  readonly reservation: string | null;
  readonly remaining: Amount | null;
  readonly reservedAfter: Amount | null;
  readonly limitAfter: Amount | null;
  readonly replayed: boolean | null;
  readonly lostBy: string | null;
  readonly digest: string | null;
}

export interface Shown {
  readonly limit: Amount | null;
  readonly reserved: Amount | null;
  readonly openCount: number | null;
  readonly open: ReadonlyMap<string, Amount> | null;
}

/** A request with its completion. Without one `answerI` is Infinity and `kind` is `info`. */
export interface Operation {
  readonly invokeI: number;
  readonly invokeT: number;
  readonly process: string;
  readonly action: Action;
  readonly issuer: Issuer;
  readonly token: Token | null;
  readonly notional: Amount | null;
  readonly limit: Amount | null;
  readonly reservation: string | null;
  readonly desk: string | null;
  readonly atLeast: Commit | null;
  readonly maxStalenessMs: number | null;
  readonly via: string;
  answerI: number;
  answerT: number;
  kind: CompletionLine['kind'];
  decision: Decision | null;
  shown: Shown | null;
  asOf: AsOf | null;
  /** The number of `asOf.position`; -1 without one. */
  asOfPosition: number;
  http: number | null;
  code: string | null;
}

export interface Issuer {
  readonly name: string;
  readonly tokens: Map<string, Token>;
  shard: Shard | null;
  /** Its decisions in the order of positions: from the log, else from the answers. */
  entries: Entry[];
  /** Positions of those that changed its state, rising. */
  changes: number[];
  reads: Operation[];
  /** Tokens that may have been decided, nobody knows at which position. Always empty where the log was read back. */
  loose: Token[];
  /** Some decision's effect can't be told, so its amounts can't be added up. */
  opaque: boolean;
}

export interface Token {
  readonly issuer: Issuer;
  readonly name: string;
  /** Every request that names it, in order. */
  readonly attempts: Operation[];
  /** Commit tokens of its decisions that a loss report names. */
  lost: Set<string> | null;
  /** In the log, or made of the answers. */
  entry: Entry | null;
  /** The answer that first reported its outcome (losses aside). */
  report: Operation | null;
  position: number | null;
  commit: Commit | null;
  /** The request before which it can't have been decided; null when that is not known. */
  start: Operation | null;
}

export interface Entry {
  readonly position: number;
  readonly generation: number | null;
  readonly term: number | null;
  readonly event: LogLine['event'];
  readonly issuer: Issuer;
  readonly token: Token;
  readonly reservation: string | null;
  readonly amount: Amount | null;
  readonly reservedAfter: Amount | null;
  readonly limitAfter: Amount | null;
  readonly remaining: Amount | null;
  /** Numbers of the log line; 0 when this was made of answers. */
  readonly i: number;
  readonly t: number;
}

export interface Shard {
  /** Its number; null when the history doesn't say, and the positions are an issuer's own. */
  readonly id: number | null;
  base: BaseLine | null;
  head: HeadLine | null;
  readonly lineage: LineageLine[];
  readonly log: Entry[];
  /** In the order of positions: the log, or what the answers say. */
  entries: Entry[];
  /** Positions at or below belong to others; -1: not known. */
  basePosition: number;
  /** Up to which the log was read back; -1: it was not. */
  headPosition: number;
  /** The first position that each failover lost, with the term that has decided them again since. */
  losses: Loss[];
  /** Answers that reported a higher position than any before them, in the order of answers. */
  readonly decisionFloors: Floor[];
  readonly readFloors: Floor[];
}

export interface Loss {
  readonly position: number;
  readonly againUnder: number;
}

export interface Floor {
  readonly position: number;
  readonly by: Operation;
}

export const isRead = (action: Action): boolean => action === 'read-issuer' || action === 'read-open';
/** Asks for what became of a token and names no content of its own. */
export const isAsking = (action: Action): boolean => action === 'resolve' || action === 'settle';
export const wasReadBack = (shard: Shard): boolean => shard.headPosition >= 0;
export const changesState = ({ event }: Entry): boolean =>
  event === 'reserved' || event === 'released' || event === 'limit_set' || event === 'corrected';
