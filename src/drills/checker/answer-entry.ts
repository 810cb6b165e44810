import type { LogLine } from '../history/types.ts';
import { type Amount, minus, plus } from './amount.ts';
import { type Entry, isAsking, type Operation, type Token } from './facts.ts';
import { isDecided, isLostReport } from './tokens.ts';

/**
 * A token's decision as the log would hold it, made of what its requests said and what was answered; where nobody read the
 * log, this is all there is. Null when the effect can't be told.
 */
export function entryOfAnswers(token: Token, report: Operation): Entry | null {
  const outcome = report.decision?.outcome;
  const content = isAsking(report.action)
    ? (token.attempts.find(({ action, kind }) => !isAsking(action) && kind !== 'fail') ?? null)
    : report;
  let reservedAfter: Amount | null = null;
  let limitAfter: Amount | null = null;
  let remaining: Amount | null = null;
  let reservation: string | null = null;
  for (const attempt of token.attempts) {
    const { decision } = attempt;
    if (decision === null || !isDecided(attempt) || isLostReport(token, attempt)) continue;
    reservedAfter ??= decision.reservedAfter;
    limitAfter ??= decision.limitAfter;
    remaining ??= decision.remaining;
    reservation ??= decision.reservation;
  }
  const stated = {
    position: token.position ?? 0,
    generation: token.commit?.generation ?? null,
    term: token.commit?.term ?? null,
    issuer: token.issuer,
    token,
    reservation: reservation ?? content?.reservation ?? null,
    ...derived({ reservedAfter, limitAfter, remaining }),
    i: 0,
    t: 0,
  };
  if (outcome === 'abandoned') return { ...stated, event: 'abandoned', amount: null };
  if (content === null || outcome === undefined) return null;
  const event = eventOf(content, outcome === 'confirmed');
  if (event === null) return null;
  const isLimit = event === 'limit_set' || event === 'corrected';
  // Others may write a new limit where a reserve's amount is.
  const amount = isLimit ? (content.limit ?? content.notional ?? limitAfter) : content.notional;
  const needsAmount = isLimit || event === 'reserved';
  return needsAmount && amount === null ? null : { ...stated, event, amount };
}

function eventOf({ action }: Operation, isConfirmed: boolean): LogLine['event'] | null {
  if (action === 'reserve') return isConfirmed ? 'reserved' : 'reserve_rejected';
  if (action === 'release') return isConfirmed ? 'released' : 'release_rejected';
  if (action === 'set-limit' && isConfirmed) return 'limit_set';
  return action === 'correct' && isConfirmed ? 'corrected' : null;
}

interface Stated {
  readonly reservedAfter: Amount | null;
  readonly limitAfter: Amount | null;
  readonly remaining: Amount | null;
}

/** Of limit, reserved and remaining, two tell the third. */
function derived({ reservedAfter, limitAfter, remaining }: Stated): Stated {
  return {
    remaining,
    limitAfter:
      limitAfter ?? (reservedAfter === null || remaining === null ? null : plus(reservedAfter, remaining)),
    reservedAfter:
      reservedAfter ?? (limitAfter === null || remaining === null ? null : minus(limitAfter, remaining)),
  };
}
