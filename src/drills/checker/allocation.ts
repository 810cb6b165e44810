import { type Amount, amountText, minus } from './amount.ts';
import { linesOf, linesOfEntry, reported, shardName } from './evidence.ts';
import type { Entry, Facts, Issuer, Operation, Token } from './facts.ts';
import { type Fold, walk } from './fold.ts';
import { proofOf } from './proof.ts';
import { isDecided, isLostReport } from './tokens.ts';
import { Findings } from './verdict.ts';

/**
 * At every position an issuer's reserved total is at most its limit after a confirmed reserve, each entry follows from the
 * one before, and what answers say of it agrees.
 */
export function judgeAllocation({ issuers, tokens }: Facts): Findings {
  const findings = new Findings('allocation');
  let opaque = 0;
  for (const issuer of issuers) {
    if (issuer.opaque) opaque += 1;
    else
      walk(issuer, { after: (entry, fold, index) => judgeEntry(findings, { issuer, entry, fold, index }) });
  }
  for (const token of tokens) judgeAnswers(findings, token);
  if (opaque > 0) findings.why = `${opaque} issuers have decisions whose effect the history does not tell`;
  else if (findings.judged === 0) findings.why = 'no answer states a position, and no log was read back';
  return findings;
}

interface Folded {
  readonly issuer: Issuer;
  readonly entry: Entry;
  readonly fold: Fold;
  readonly index: number;
}

function judgeEntry(findings: Findings, { issuer, entry, fold, index }: Folded): void {
  findings.judged += 1;
  const { shard } = issuer;
  const where = `${shard === null ? 'the log' : shardName(shard)} @${entry.position} (${issuer.name}/${entry.token.name})`;
  const prove = (): ReturnType<typeof proofOf> => proofOf(issuer, index);
  if (fold.problem !== null) {
    findings.add(`${where} ${fold.problem}`, () => proofOf(issuer, index, entry.reservation));
  }
  const stated = fold.statedReserved(entry);
  const limit = entry.limitAfter ?? fold.limitHigh;
  const reserved = stated ?? fold.reservedLow;
  if (entry.event === 'reserved') {
    if (limit === -1) findings.add(`${where} reserves although the issuer has no limit yet`, prove);
    else if (limit !== null && reserved > limit) {
      findings.add(
        `${where} over-allocates: ${amountText(reserved)} of ${amountText(limit)} are reserved`,
        prove,
      );
      return;
    } else if (entry.remaining !== null && entry.remaining < 0) {
      findings.add(`${where} over-allocates: ${amountText(entry.remaining)} remain`, prove);
      return;
    }
  }
  if (entry.limitAfter !== null && !within(entry.limitAfter, fold.limitLow, fold.limitHigh)) {
    const expected = fold.limit === null ? 'another' : amountText(fold.limit);
    findings.add(`${where} says the limit is ${amountText(entry.limitAfter)}; it is ${expected}`, prove);
  } else if (stated !== null && (stated < fold.reservedLow || exceeds(stated, fold.reservedHigh))) {
    findings.add(`${where} says ${amountText(stated)} are reserved; the log says ${rangeText(fold)}`, prove);
  }
}

const exceeds = (value: Amount, high: Amount | null): boolean => high !== null && value > high;
const within = (value: Amount, low: Amount | null, high: Amount | null): boolean =>
  low === null || high === null || (value >= low && value <= high);

const rangeText = ({ reservedLow, reservedHigh }: Fold): string =>
  reservedHigh === null
    ? `at least ${amountText(reservedLow)}`
    : reservedLow === reservedHigh
      ? amountText(reservedLow)
      : `${amountText(reservedLow)} to ${amountText(reservedHigh)}`;

/** What clients were told is what the log holds, and is not at odds with itself. */
function judgeAnswers(findings: Findings, token: Token): void {
  for (const attempt of token.attempts) {
    const { decision } = attempt;
    if (decision === null || !isDecided(attempt) || isLostReport(token, attempt)) continue;
    const { limitAfter, reservedAfter, remaining } = decision;
    if (limitAfter !== null && reservedAfter !== null) {
      const left = minus(limitAfter, reservedAfter);
      if (remaining !== null && remaining !== left) {
        findings.add(`${reported(attempt)} with amounts that don't add up`, () => linesOf(attempt));
      }
      if (decision.position === null && attempt.action === 'reserve' && decision.outcome === 'confirmed') {
        findings.judged += 1;
        if (left < 0) findings.add(`${reported(attempt)} over the limit`, () => linesOf(attempt));
      }
    }
    const { entry } = token;
    if (entry === null || entry.i === 0 || entry.position !== (decision.position ?? entry.position)) continue;
    const differs = differenceOf(attempt, entry);
    if (differs === null) continue;
    findings.add(`${reported(attempt)}; ${differs}`, () => [
      ...linesOf(attempt),
      ...linesOfEntry(entry, token.issuer.shard),
    ]);
  }
}

function differenceOf(
  { decision, action, notional, limit, reservation }: Operation,
  entry: Entry,
): string | null {
  const left =
    entry.limitAfter === null || entry.reservedAfter === null
      ? null
      : minus(entry.limitAfter, entry.reservedAfter);
  if (differ(decision?.reservedAfter, entry.reservedAfter)) return 'the log has another reserved total';
  if (differ(decision?.limitAfter, entry.limitAfter)) return 'the log has another limit';
  if (differ(decision?.remaining, left)) return 'the log says that another amount remained';
  if (entry.event === 'abandoned') return null;
  if (action === 'reserve' && differ(notional, entry.amount))
    return 'the log has another amount than was asked for';
  if (action === 'release' && differ(reservation, entry.reservation))
    return 'the log released another reservation';
  const isLimit = action === 'set-limit' || action === 'correct';
  return isLimit && differ(limit, entry.amount) ? 'the log has another limit than was asked for' : null;
}

const differ = <T>(said: T | null | undefined, held: T | null): boolean =>
  said !== null && said !== undefined && held !== null && said !== held;
