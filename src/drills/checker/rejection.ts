import { amountText, plus } from './amount.ts';
import { linesOf, linesOfEntry, reported, shardName } from './evidence.ts';
import type { Entry, Facts, Issuer, Operation } from './facts.ts';
import { type Fold, walk } from './fold.ts';
import { proofOf } from './proof.ts';
import { judgeByTime } from './rejection-by-time.ts';
import { isDecided } from './tokens.ts';
import { Findings } from './verdict.ts';

/** A rejected reserve found no room at its position, a rejected release nothing to release; and they say so. */
export function judgeRejection({ issuers, tokens }: Facts): Findings {
  const findings = new Findings('rejection');
  for (const issuer of issuers) {
    if (issuer.opaque) {
      for (const entry of issuer.entries) judgeStatement(findings, issuer, entry);
    } else {
      walk(issuer, { before: (entry, fold, index) => judgeEntry(findings, { issuer, entry, fold, index }) });
    }
    judgeByTime(findings, issuer);
  }
  for (const { attempts } of tokens) for (const attempt of attempts) judgeReason(findings, attempt);
  if (findings.judged === 0) findings.why = 'no rejection can be held against a known state';
  return findings;
}

interface Folded {
  readonly issuer: Issuer;
  readonly entry: Entry;
  readonly fold: Fold;
  readonly index: number;
}

function judgeEntry(findings: Findings, { issuer, entry, fold, index }: Folded): void {
  const { event, amount, reservation } = entry;
  const where = `${issuer.shard === null ? 'the log' : shardName(issuer.shard)} @${entry.position}`;
  if (event === 'reserve_rejected') {
    if (judgeStatement(findings, issuer, entry) || amount === null) return;
    const { reservedHigh, limitLow } = fold;
    if (reservedHigh === null || limitLow === null) return;
    findings.judged += 1;
    if (plus(reservedHigh, amount) > limitLow) return;
    const state = `${amountText(reservedHigh)} of ${amountText(limitLow)} were reserved`;
    findings.add(
      `${where} rejects ${amountText(amount)} of ${issuer.name}/${entry.token.name} although ${state}`,
      () => proofOf(issuer, index),
    );
  } else if (event === 'release_rejected' && reservation !== null) {
    findings.judged += 1;
    const isOpen = fold.open.has(reservation);
    const isJudged = fold.isWhole && fold.namesKnown && !fold.released.has(reservation);
    if (!isOpen && !isJudged) return;
    const why = isOpen ? 'it is open' : 'nobody released it';
    findings.add(`${where} says that ${reservation} was released already; ${why}`, () =>
      proofOf(issuer, index, reservation),
    );
  }
}

/** By what the rejection itself says of the state; true when that was enough to judge it. */
function judgeStatement(findings: Findings, issuer: Issuer, entry: Entry): boolean {
  const { event, amount, limitAfter, reservedAfter, remaining } = entry;
  if (event !== 'reserve_rejected' || amount === null) return false;
  const hasBoth = limitAfter !== null && reservedAfter !== null;
  if (!hasBoth && remaining === null) return false;
  findings.judged += 1;
  const fits = hasBoth
    ? plus(reservedAfter, amount) <= limitAfter
    : remaining !== null && amount <= remaining;
  if (fits) {
    const where = `${issuer.name}/${entry.token.name} at ${entry.position}`;
    findings.add(`${where} is rejected with enough left for ${amountText(amount)}, by its own words`, () =>
      linesOfEntry(entry, issuer.shard),
    );
  }
  return true;
}

function judgeReason(findings: Findings, attempt: Operation): void {
  const { decision, action } = attempt;
  if (decision === null || decision.outcome !== 'rejected' || !isDecided(attempt)) return;
  if (action === 'set-limit' || action === 'correct') {
    findings.judged += 1;
    findings.add(`${reported(attempt)}; a limit can't be rejected`, () => linesOf(attempt));
  }
  if (decision.reason === null || (action !== 'reserve' && action !== 'release')) return;
  findings.judged += 1;
  const expected = action === 'reserve' ? 'insufficient_headroom' : 'already_released';
  if (decision.reason === expected) return;
  findings.add(
    `${reported(attempt)} because of ${decision.reason}; a ${action} can only be ${expected}`,
    () => linesOf(attempt),
  );
}
