import type { Action } from '../history/types.ts';
import { agrees, held } from './durability.ts';
import { linesOf, linesOfEntry, readBackLines } from './evidence.ts';
import {
  type Entry,
  type Facts,
  isAsking,
  type Operation,
  type Shard,
  type Token,
  wasReadBack,
} from './facts.ts';
import { isDecided, isLostReport, mayHaveRun } from './tokens.ts';
import { Findings } from './verdict.ts';

/** What was left unknown resolves to what the log holds; what was promised to have no effect has none. */
export function judgeUnknown({ tokens, shards }: Facts): Findings {
  const findings = new Findings('unknown');
  let notRead = 0;
  for (const token of tokens) {
    const { shard } = token.issuer;
    const hasOpen = token.attempts.some(({ kind, action }) => kind === 'info' && action !== 'resolve');
    const hasFailed = token.attempts.some(({ kind }) => kind === 'fail');
    if (shard === null || (!hasOpen && !hasFailed)) continue;
    if (!wasReadBack(shard)) {
      if (!judgeWithoutLog(findings, token)) notRead += 1;
      continue;
    }
    findings.judged += 1;
    if (token.entry !== null) judgePromise(findings, { token, entry: token.entry, shard });
    if (hasOpen) judgeResolution(findings, token, shard);
  }
  if (!shards.some(wasReadBack)) findings.why = 'no log was read back';
  else if (notRead > 0) findings.why = `${notRead} tokens are of shards that were not read back`;
  else if (findings.judged === 0)
    findings.why = 'nothing was left unknown, and nothing promised to have no effect';
  return findings;
}

/** Each request promised to have no effect, and yet somebody was told of one. */
function judgeWithoutLog(findings: Findings, token: Token): boolean {
  const { report, attempts } = token;
  const hasContent = attempts.some(({ action }) => !isAsking(action));
  if (report === null || !hasContent || report.decision?.outcome === 'abandoned') return false;
  findings.judged += 1;
  if (mayHaveRun(token)) return true;
  const what = `${token.issuer.name}/${token.name} was promised to have no effect; it is ${report.decision?.outcome}`;
  findings.add(what, () => linesOf(...attempts));
  return true;
}

const CAUSES: Readonly<Record<Entry['event'], Action>> = {
  reserved: 'reserve',
  reserve_rejected: 'reserve',
  released: 'release',
  release_rejected: 'release',
  limit_set: 'set-limit',
  corrected: 'correct',
  abandoned: 'settle',
};

interface Logged {
  readonly token: Token;
  readonly entry: Entry;
  readonly shard: Shard;
}

function judgePromise(findings: Findings, { token, entry, shard }: Logged): void {
  const causes = token.attempts.filter(({ action }) => action === CAUSES[entry.event]);
  // Somebody outside of the history may have asked for it when nobody inside did.
  if (causes.length === 0 || causes.some(({ kind }) => kind !== 'fail')) return;
  const [first] = causes;
  const promise = `${first?.via} promised that ${token.issuer.name}/${token.name} had no effect (${first?.code})`;
  findings.add(`${promise}; the log holds it as ${held(entry, shard)}`, () => [
    ...linesOf(...causes),
    ...linesOfEntry(entry, shard),
  ]);
}

function judgeResolution(findings: Findings, token: Token, shard: Shard): void {
  const { entry, attempts } = token;
  const name = `${token.issuer.name}/${token.name}`;
  const last = lastAnswer(token);
  const open = attempts.filter(({ kind, action }) => kind === 'info' && action !== 'resolve');
  const prove = () => [
    ...linesOf(...open.slice(0, 1), last),
    ...(entry === null ? readBackLines(shard) : linesOfEntry(entry, shard)),
  ];
  if (last === null) {
    if (entry === null) return;
    findings.add(
      `${name} was left unknown and never resolved; the log holds it as ${held(entry, shard)}`,
      prove,
    );
  } else if (last.decision?.outcome === 'not_found') {
    if (entry === null) return;
    findings.add(`${name} resolves as not found; the log holds it as ${held(entry, shard)}`, prove);
  } else if (entry === null) {
    if (token.position !== null && token.position <= shard.basePosition) return;
    findings.add(`${name} resolves as ${last.decision?.outcome}; the log does not hold it`, prove);
  } else if (!agrees(last, entry)) {
    findings.add(
      `${name} resolves as ${last.decision?.outcome}; the log holds it as ${held(entry, shard)}`,
      prove,
    );
  }
}

/** What was said of the token last, unless a loss report says that it is gone. */
function lastAnswer(token: Token): Operation | null {
  let last: Operation | null = null;
  for (const attempt of token.attempts) {
    const said = isDecided(attempt)
      ? !isLostReport(token, attempt)
      : attempt.decision?.outcome === 'not_found';
    if (said && (last === null || attempt.answerI > last.answerI)) last = attempt;
  }
  return last;
}
