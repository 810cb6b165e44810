import type { LossLine, LostLine } from '../history/types.ts';
import { commitText, linesOf, reported } from './evidence.ts';
import type { Facts, Operation, Token } from './facts.ts';
import { isDecided, isLostReport } from './tokens.ts';
import { Findings } from './verdict.ts';

/**
 * What a failover to another region lost is no more than it was allowed to, nobody ran one beyond the budget without a word, and
 * whoever asks for a lost token is told by which operation it was lost.
 */
export function judgeLoss({ losses, lost, tokens }: Facts): Findings {
  const findings = new Findings('loss');
  for (const line of losses) judgeBounds(findings, line);
  const byToken = Map.groupBy(lost, ({ issuer, token }) => `${issuer} ${token}`);
  let notAsked = 0;
  for (const token of tokens) {
    const named = byToken.get(`${token.issuer.name} ${token.name}`);
    if (named === undefined) continue;
    judgeNotFound(findings, token, named);
    // Whatever was decided under it again is another decision, which the other rules judge.
    if (token.report !== null || token.entry !== null) continue;
    if (!judgeNamed(findings, token, named)) notAsked += 1;
  }
  if (findings.judged === 0) findings.why = 'no failover was to another region';
  else if (notAsked > 0) findings.why = `nobody asked for ${notAsked} lost tokens`;
  return findings;
}

function judgeBounds(findings: Findings, line: LossLine): void {
  const { operation, exposure_ms: exposureMs, budget_ms: budgetMs, accepted, allowed, lost } = line;
  findings.judged += 1;
  const isWithin = exposureMs !== null && exposureMs <= budgetMs;
  if (!isWithin && accepted === null) {
    const exposure = exposureMs === null ? 'an unknown time' : `${exposureMs} ms`;
    findings.add(
      `${operation} was run with ${exposure} at risk, over ${budgetMs} ms, and nobody accepted it`,
      () => [line],
    );
  }
  if (lost === null) findings.why = `the loss of ${operation} was not signed off`;
  else if (lost > allowed)
    findings.add(`${operation} lost ${lost} decisions; ${allowed} were foreseen or accepted`, () => [line]);
}

/** It had been reported: from then on it is kept, unknown or lost, and never a token that nobody knows. */
function judgeNotFound(findings: Findings, token: Token, named: readonly LostLine[]): void {
  const first = token.attempts.find((attempt) => isDecided(attempt) && isLostReport(token, attempt));
  if (first === undefined) return;
  const missed = token.attempts.find(
    ({ kind, decision, invokeI }) =>
      kind === 'ok' && decision?.outcome === 'not_found' && invokeI > first.answerI,
  );
  if (missed === undefined) return;
  findings.add(
    `${missed.via} did not find ${token.issuer.name}/${token.name} after ${reported(first)}`,
    () => [...linesOf(first, missed), ...named],
  );
}

/** False: nobody has asked for it since it was lost. */
function judgeNamed(findings: Findings, token: Token, named: readonly LostLine[]): boolean {
  const last = token.attempts.findLast(({ kind, decision }) => kind === 'ok' && decision !== null);
  const [first] = named;
  if (last === undefined || first === undefined || last.invokeI < first.i) return false;
  findings.judged += 1;
  if (isNamed(last, named)) return true;
  const said = last.decision?.outcome === 'lost' ? `lost by ${last.decision.lostBy}` : last.decision?.outcome;
  findings.add(
    `${last.via} says that ${token.issuer.name}/${token.name} is ${said}; it is ${first.commit_token}, lost by ${first.operation}`,
    () => [...linesOf(last), ...named],
  );
  return true;
}

function isNamed({ decision }: Operation, named: readonly LostLine[]): boolean {
  if (decision === null || decision.outcome !== 'lost') return false;
  const { commit, lostBy } = decision;
  return named.some(
    (line) =>
      (commit === null || commitText(commit) === line.commit_token) &&
      (lostBy === null || lostBy === line.operation),
  );
}
