import { formatCommitToken } from '../domain/commit-token.ts';
import type { FenceReason } from '../domain/sqlstate.ts';
import type { AnswerFacts, CommandResult, Outcome, Refused } from '../reservations/types.ts';
import type { ProblemCode } from './problem.ts';

/** The single answer to a command, before it is put into HTTP. */
export type Answer =
  | { readonly kind: 'decided'; readonly result: CommandResult; readonly facts: AnswerFacts }
  /** Provably without effect. */
  | { readonly kind: 'refused'; readonly code: ProblemCode; readonly detail: string }
  | { readonly kind: 'unknown' };

export const refusedAnswer = (code: ProblemCode, detail: string): Answer => ({
  kind: 'refused',
  code,
  detail,
});

export const UNKNOWN: Answer = { kind: 'unknown' };

/** After a move Postgres follows the map by itself within moments, and callers wait for that. */
const FOLLOWS_THE_MAP_MS = 10;

/**
 * What a refused batch means to its callers. `again`: the route, the leader's grant or the lock is behind; the same batch may be
 * sent again. `withinMs`: the route may be right and Postgres behind; when to try it once more.
 */
type Judgement = {
  readonly code: ProblemCode;
  readonly again: 'no' | 'on-change' | 'on-grant' | 'at-once';
  readonly withinMs?: number;
};

const JUDGEMENTS: Readonly<Record<FenceReason | 'busy', Judgement>> = {
  staleTerm: { code: 'route_stale', again: 'on-change' },
  staleGeneration: { code: 'route_stale', again: 'on-change', withinMs: FOLLOWS_THE_MAP_MS },
  staleEpoch: { code: 'route_stale', again: 'on-change' },
  shardNotOwned: { code: 'route_stale', again: 'on-change', withinMs: FOLLOWS_THE_MAP_MS },
  wrongCluster: { code: 'route_stale', again: 'on-change' },
  notLeader: { code: 'route_stale', again: 'on-change' },
  shardSealed: { code: 'shard_sealed', again: 'on-change' },
  busy: { code: 'shard_busy', again: 'at-once' },
  // A leader that begins, hands over or changes its followers refuses for a moment.
  leaseLapsed: { code: 'lease_lapsed', again: 'on-grant' },
  admissionClosed: { code: 'admission_closed', again: 'on-grant' },
  durabilityWeakened: { code: 'durability_weakened', again: 'on-grant' },
  // By the contract's own will: nothing is about to change.
  rpoLapsed: { code: 'rpo_lapsed', again: 'no' },
  transactionShape: { code: 'internal', again: 'no' },
  badCommand: { code: 'internal', again: 'no' },
  // Said of reads only.
  notConfirmed: { code: 'internal', again: 'no' },
  notFollower: { code: 'internal', again: 'no' },
  tooFarBack: { code: 'internal', again: 'no' },
};

export const judge = ({ reason }: Refused): Judgement => JUDGEMENTS[reason];

export const commitTokenOf = (shard: number, { position, generation, term }: Outcome): string =>
  formatCommitToken({ shard, position: BigInt(position), generation, term });
