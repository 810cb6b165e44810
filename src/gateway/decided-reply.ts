import { formatAmount } from '../domain/money.ts';
import { assertNever } from '../domain/errors.ts';
import type { AnswerFacts, CommandRefusal, Outcome } from '../reservations/types.ts';
import { commitTokenOf } from './answer.ts';
import type { ProblemCode, ProblemDetails } from './problem.ts';
import type { LostOutcome } from './token-types.ts';

export interface DecidedReply {
  readonly status: number;
  readonly body: string;
}

export interface DecidedAbout {
  readonly shard: AnswerFacts['shard'];
  readonly token: string;
  /** A decision under the same token that a failover lost before. */
  readonly lostBefore?: LostOutcome | undefined;
}

/**
 * A decision as its caller reads it. It is made from the stored outcome alone, so that a replay is the first answer byte
 * for byte, but for `replayed` and the status code.
 */
export function decidedReply(outcome: Outcome, { shard, token, lostBefore }: DecidedAbout): DecidedReply {
  const where = {
    reservation_token: token,
    commit_token: commitTokenOf(shard, outcome),
    shard,
    position: outcome.position,
  };
  const remaining = amount(outcome.remaining);
  const anew = lostBefore === undefined ? {} : { lost_before: lostBefore };
  const { replayed, command, reason } = outcome;
  switch (outcome.outcome) {
    case 'confirmed':
      return command === 'reserve' || command === 'release'
        ? {
            status: command === 'reserve' && !replayed ? 201 : 200,
            body: JSON.stringify({
              status: 'confirmed',
              reservation_id: outcome.reservation,
              ...where,
              remaining,
              replayed,
              ...anew,
            }),
          }
        : {
            status: 200,
            body: JSON.stringify({
              status: 'confirmed',
              ...where,
              limit: amount(outcome.limit_after),
              reserved: amount(outcome.reserved_after),
              remaining,
              replayed,
              ...anew,
            }),
          };
    case 'rejected':
      return {
        status: 409,
        body: JSON.stringify({ status: 'rejected', reason, ...where, remaining, replayed, ...anew }),
      };
    case 'abandoned':
      return { status: 409, body: JSON.stringify({ status: 'abandoned', ...where, replayed, ...anew }) };
    default:
      return assertNever(outcome.outcome);
  }
}

/** Cents as the database says them, as a decimal; null stays null. */
export const amount = (cents: string | null): string | null =>
  cents === null ? null : formatAmount(BigInt(cents));

/** A command that was refused by itself, without effect, while the rest of its batch was decided. */
export function commandRefusal(refused: CommandRefusal): {
  readonly code: ProblemCode;
  readonly details: ProblemDetails;
} {
  const detail = {
    token_reused: 'the token is bound to another desk, command or body; make a new token for new content',
    reservation_exists: 'another token made a reservation of this id',
    reservation_not_found: 'the issuer has no reservation of this id',
    issuer_not_found: 'an operator has to set its limit first',
    not_your_reservation: 'only the desk that made a reservation releases it',
  }[refused];
  const fields: Partial<Record<CommandRefusal, string>> = {
    token_reused: 'reservation_token',
    reservation_exists: 'reservation_id',
    reservation_not_found: 'reservation_id',
    issuer_not_found: 'issuer_id',
  };
  const field = fields[refused];
  return { code: refused, details: { detail, effect: 'none', ...(field === undefined ? {} : { field }) } };
}
