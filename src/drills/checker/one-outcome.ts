import { commitText, linesOf, linesOfEntry, reported, tokenName } from './evidence.ts';
import { type Decision, type Facts, isAsking, type Operation, type Token } from './facts.ts';
import { isDecided, isLostReport } from './tokens.ts';
import { Findings } from './verdict.ts';

/** All reports of one token agree, for ever, and it is decided once; what a loss took is another decision. */
export function judgeOneOutcome({ tokens, shards }: Facts): Findings {
  const findings = new Findings('one-outcome');
  for (const token of tokens) judgeToken(findings, token);
  for (const shard of shards) {
    for (const entry of shard.log) {
      const first = entry.token.entry;
      if (first === null || first === entry || first.i === 0) continue;
      const what = `${entry.issuer.name}/${entry.token.name} is decided twice: at ${first.position} and at ${entry.position}`;
      findings.add(what, () => [...linesOfEntry(first, entry.issuer.shard), ...linesOfEntry(entry, shard)]);
    }
  }
  if (findings.judged === 0) findings.why = 'no outcome was reported';
  return findings;
}

function judgeToken(findings: Findings, token: Token): void {
  const { report } = token;
  let first: Operation | null = null;
  const lost = new Map<string, Operation>();
  for (const attempt of token.attempts) {
    const { decision } = attempt;
    if (decision === null || attempt.kind !== 'ok') continue;
    if (decision.outcome === 'lost' && token.lost === null) {
      findings.add(`${reported(attempt)}; no loss report names it`, () => linesOf(attempt, report));
    }
    if (!isDecided(attempt)) continue;
    if (decision.commit !== null && decision.position !== decision.commit.position) {
      const what = `${reported(attempt)}, but at position ${decision.position}`;
      findings.add(what, () => linesOf(attempt));
    }
    if (isLostReport(token, attempt)) {
      const name = decision.commit === null ? '' : commitText(decision.commit);
      lost.set(name, compare(findings, lost.get(name) ?? null, attempt));
      continue;
    }
    if (decision.replayed === false) {
      if (report !== null && report !== attempt && report.answerI < attempt.invokeI) {
        const what = `${reported(attempt)} as new, after ${reported(report)}`;
        findings.add(what, () => linesOf(report, attempt));
      } else if (first !== null && first !== attempt) {
        const earlier = first;
        findings.add(`${tokenName(attempt)} was new in two answers`, () => linesOf(earlier, attempt));
      }
      first ??= attempt;
    }
  }
  if (report === null) return;
  findings.judged += 1;
  for (const attempt of token.attempts) {
    if (attempt === report || !isDecided(attempt) || isLostReport(token, attempt)) continue;
    compare(findings, report, attempt);
  }
}

function compare(findings: Findings, first: Operation | null, other: Operation): Operation {
  if (!first?.decision || other.decision === null) return other;
  const field = differenceOf(first.decision, other.decision) ?? contentDifference(first, other);
  if (field !== null) {
    findings.add(`${reported(first)}; ${reported(other)}: the ${field} differs`, () => linesOf(first, other));
  }
  return first;
}

const FIELDS = [
  'outcome',
  'position',
  'reason',
  'reservation',
  'remaining',
  'reservedAfter',
  'limitAfter',
  'digest',
] as const satisfies readonly (keyof Decision)[];

function differenceOf(one: Decision, other: Decision): string | null {
  for (const field of FIELDS) {
    if (one[field] !== null && other[field] !== null && one[field] !== other[field]) return field;
  }
  const hasBoth = one.commit !== null && other.commit !== null;
  return hasBoth && commitText(one.commit) !== commitText(other.commit) ? 'commit token' : null;
}

const CONTENT = [
  'action',
  'notional',
  'limit',
  'reservation',
  'desk',
] as const satisfies readonly (keyof Operation)[];

/** A token binds its content: the same outcome for another request is no replay. A settled token has no content. */
function contentDifference(one: Operation, other: Operation): string | null {
  if (isAsking(one.action) || isAsking(other.action) || one.decision?.outcome === 'abandoned') return null;
  for (const field of CONTENT) {
    if (one[field] !== null && other[field] !== null && one[field] !== other[field])
      return `${field} asked for`;
  }
  return null;
}
